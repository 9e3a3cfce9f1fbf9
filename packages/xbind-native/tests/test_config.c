/* SPDX-License-Identifier: MIT */
/*
 * test_config.c - XBIND and XSOCKET, byte for byte
 *
 * Each case is a process, since the environment is read once.
 */
#include "support/capture.h"
#include "support/child.h"
#include "support/thread.h"

#include "core/address.h"
#include "core/deadline.h"
#include "xbind/config.h"

#include <signal.h>

#define BAD(word)                                                                                  \
	"XBIND: cannot read \"" word "\": a word is a port (3000), a range (8000-8100), tcp/53, "  \
	"udp/53, 8080:3000 or *; the other words still work\n"

/* -1 when the port is not listed */
static int match(enum config_proto proto, uint16_t port)
{
	uint16_t published = 0;

	return config_match(proto, port, &published) ? published : -1;
}

static void check_both(uint16_t port, int expected)
{
	CHECK_EQ(match(CONFIG_TCP, port), expected);
	CHECK_EQ(match(CONFIG_UDP, port), expected);
}

/* Body of a child that is forked while the environment is being read. */
static void (*early)(void);

/* Signal that is raised while the environment is being read. */
static int early_signal;

/* Does another library's secure_getenv ask for the ports again while it looks up that of libc? */
static bool comes_back;

char *secure_getenv(const char *name)
{
	void (*body)(void) = early;
	const int number = early_signal;

	if (number && strcmp(name, "XBIND") == 0) {
		early_signal = 0;
		raise(number);
	}
	if (comes_back)
		config_any();
	if (body && strcmp(name, "XSOCKET") == 0) { /* which is read after the ports */
		early = NULL;
		child_run(body);
	}
	return getenv(name);
}

static void body_early(void)
{
	early();
	CHECK(!early);
}

/* A child forked when half of the environment has been read gets the same results. */
static void check_list(const char *list, void (*body)(void))
{
	in_child(list, NULL, body, "");
	early = body;
	in_child(list, NULL, body_early, "");
	early = NULL;
}

static void body_nothing(void)
{
	config_load();
	check_both(0, -1);
	check_both(3000, -1);
	CHECK(!config_all(CONFIG_TCP) && !config_all(CONFIG_UDP) && !config_any());
	CHECK_EQ(config_log_fd(), -1);
}

static void body_list(void)
{
	config_load();
	check_both(3000, 3000);
	check_both(0, 0);
	check_both(65535, 65535);
	check_both(7999, -1);
	check_both(8000, 8000);
	check_both(8050, 8050);
	check_both(8100, 8100);
	check_both(8101, -1);
	CHECK_EQ(match(CONFIG_TCP, 53), -1);
	CHECK_EQ(match(CONFIG_UDP, 53), 53);
	CHECK_EQ(match(CONFIG_TCP, 21), 20);
	CHECK_EQ(match(CONFIG_UDP, 21), -1);
	CHECK_EQ(match(CONFIG_TCP, 5001), 5001);
	CHECK_EQ(match(CONFIG_UDP, 5001), -1);
	check_both(443, 8443);
	check_both(8443, -1);
	CHECK(!config_all(CONFIG_TCP) && !config_all(CONFIG_UDP) && config_any());
}

static void body_every(void)
{
	config_load();
	check_both(0, 0);
	check_both(3000, 8080);
	check_both(65535, 65535);
	CHECK(config_all(CONFIG_TCP) && config_all(CONFIG_UDP) && config_any());
}

static void body_every_udp(void)
{
	config_load();
	CHECK_EQ(match(CONFIG_TCP, 1), -1);
	CHECK_EQ(match(CONFIG_UDP, 1), 1);
	CHECK(!config_all(CONFIG_TCP) && config_all(CONFIG_UDP) && config_any());
}

static int expected_tcp, expected_udp;

static void body_published(void)
{
	config_load();
	CHECK_EQ(match(CONFIG_TCP, 3000), expected_tcp);
	CHECK_EQ(match(CONFIG_UDP, 3000), expected_udp);
}

/* As which ports 3000 is published. */
static void check_published(const char *list, int tcp, int udp, const char *complaint)
{
	expected_tcp = tcp;
	expected_udp = udp;
	in_child(list, NULL, body_published, complaint);
}

static void body_one(void)
{
	config_load();
	check_both(80, 80);
	check_both(81, -1);
}

static void test_lists(void)
{
	const char *list =
	    "3000, 0\t65535 ,,8000-8100\n3000 udp/53 tcp/20:21 tcp/5000-5002 8443:443";

	in_child("", "", body_nothing, "");
	in_child(" ,\t\r\n\v\f", "0", body_nothing, "");
	check_list(NULL, body_nothing);
	check_list(list, body_list);
	check_list("*,8080:3000", body_every);
	check_list("8080:3000 3000 *", body_every);
	check_list("udp/*", body_every_udp);
	check_list("80 000080 80-80 80:80", body_one);
}

static void test_unreadable_words(void)
{
	char words[] = "80a -80 +80 65536 99999999999999999999 8100-8000 80- - 80-90-91 :80 80: "
	               "80:81:82 80:70-71 tcp/ tcp/x TCP/80 sctp/80 53/tcp ** *80 80* tcp/udp/1 "
	               "0x50 8000-8100:3000 http 8080:* 3.5 1-65536 65536:80 80:65536";
	char list[256], expected[1024], *next;

	for (char *word = strtok_r(words, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
		snprintf(list, sizeof(list), "%s 80", word);
		snprintf(expected, sizeof(expected), BAD("%s"), word);
		in_child(list, NULL, body_one, expected);
		snprintf(list, sizeof(list), "80,%s", word);
		in_child(list, NULL, body_one, expected);
	}
	in_child("a 80 b\x1b[2J", NULL, body_one, BAD("a") BAD("b?[2J"));
}

#define OVERRULED(what, word)                                                                      \
	"XBIND: ignoring " what "\"" word "\": an earlier word publishes this port as another\n"

static void test_overruled_word(void)
{
	check_published("8080:3000 9090:3000", 8080, 8080, OVERRULED("", "9090:3000"));
	check_published("8080:3000 udp/9090:3000", 8080, 8080, OVERRULED("", "udp/9090:3000"));
	check_published("tcp/8080:3000 9090:3000", 8080, 9090, OVERRULED("for TCP ", "9090:3000"));
	check_published("udp/8080:3000 9090:3000", 9090, 8080, OVERRULED("for UDP ", "9090:3000"));
	check_published("udp/8080:3000 tcp/9090:3000", 9090, 8080, "");
}

static void test_long_word(void)
{
	char list[5000], expected[1024], shown[132];

	memset(list, '9', sizeof(list));
	strcpy(list + sizeof(list) - 4, " 80");
	memset(shown, '9', 128);
	strcpy(shown + 128, "...");
	snprintf(expected, sizeof(expected), BAD("%s"), shown);
	in_child(list, NULL, body_one, expected);
}

static void check_default_socket(void)
{
	CHECK(strcmp(config_socket(), ADDRESS_DEFAULT) == 0);
}

static void body_socket(void)
{
	char longest[300];

	unsetenv("XSOCKET");
	check_default_socket();
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("XSOCKET", longest, 1);
	check_default_socket(); /* kept from the first call */
	child_run(check_default_socket);
}

static void body_socket_fits(void)
{
	char *path = strdup("/run/a-control-socket");

	setenv("XSOCKET", path, 1);
	config_load();
	memset(getenv("XSOCKET"), '#', strlen(path)); /* as setproctitle(3) does */
	clearenv();
	CHECK(strcmp(config_socket(), path) == 0);
	free(path);
}

static void body_socket_too_long(void)
{
	struct address address;
	char path[300];

	memset(path, 'x', sizeof(path));
	for (size_t len = 100; len < sizeof(path); len++) {
		path[len] = '\0';
		setenv("XSOCKET", path, 1);
		if (child_start() == 0) {
			config_load();
			_exit(address_parse(config_socket(), &address) !=
			      (len < 108 ? 0 : -ENAMETOOLONG));
		}
		path[len] = 'x';
	}
	for (int status; wait(&status) > 0;)
		CHECK_EQ(status, 0);
}

static void handle_fault(int number)
{
	(void)number;
	check_both(3000, 8080);
	CHECK_EQ(config_wait_ms(), HANDOVER_WAIT_MS);
}

static void body_fault(void)
{
	CHECK(signal(SIGTRAP, handle_fault) != SIG_ERR);
	early_signal = SIGTRAP;
	config_load();
	CHECK_EQ(early_signal, 0);
	check_both(3000, 8080);
}

/* The handler of a fault that happens during the reading gets the same results: no lock keeps it
 * out. */
static void test_fault(void)
{
	in_child("8080:3000", NULL, body_fault, "");
}

static void body_comes_back(void)
{
	comes_back = true;
	config_load();
	check_both(3000, 8080);
}

static void test_comes_back(void)
{
	in_child("8080:3000", NULL, body_comes_back, "");
}

static void body_own_server(void)
{
	setenv("XSOCKET_ANY_SERVER", "0", 1);
	config_load();
	setenv("XSOCKET_ANY_SERVER", "1", 1);
	CHECK(!config_any_server());
}

static void body_settings(void)
{
	config_load();
	CHECK(strcmp(config_socket(), "@name") == 0);
	CHECK(config_any_server());
	CHECK_EQ(config_wait_ms(), 1234);
	CHECK_EQ(config_log_fd(), 77);
}

static void test_settings(void)
{
	set("XSOCKET", "@name");
	set("XSOCKET_ANY_SERVER", "1");
	set("XSOCKET_TIMEOUT_MS", "1234");
	early = body_settings;
	in_child(NULL, "77", body_early, "");
	early = NULL;
	set("XSOCKET", NULL);
	set("XSOCKET_ANY_SERVER", NULL);
	set("XSOCKET_TIMEOUT_MS", NULL);
}

static void test_socket(void)
{
	in_child(NULL, NULL, body_own_server, "");
	in_child(NULL, NULL, body_socket, "");
	in_child(NULL, NULL, body_socket_fits, "");
	in_child(NULL, NULL, body_socket_too_long, "");
}

static void *thread_match(void *unused)
{
	for (int i = 0; i < 1000; i++) {
		check_both(3000, 8080);
		check_both(1, -1);
	}
	check_default_socket();
	return unused;
}

/* Threads that all are the first to ask get the same results. */
static void body_threads(void)
{
	thread_run_all(thread_match, 8);
}

static void test_threads(void)
{
	for (int i = 0; i < 20; i++)
		in_child("x 8080:3000", NULL, body_threads, "");
}

static int expected_wait;

static void body_wait(void)
{
	config_load();
	CHECK_EQ(config_wait_ms(), expected_wait);
}

static void check_wait(const char *text, int expected, const char *complaint)
{
	set("XSOCKET_TIMEOUT_MS", text);
	expected_wait = expected;
	in_child(NULL, NULL, body_wait, complaint);
	set("XSOCKET_TIMEOUT_MS", NULL);
}

#define BAD_WAIT(text)                                                                             \
	"XSOCKET_TIMEOUT_MS: cannot read \"" text                                                  \
	"\": give a number of milliseconds, or leave it out for 5000\n"

static void test_wait(void)
{
	check_wait("", 5000, "");
	check_wait("2147483647", 2147483647, "");
	check_wait("2147483648", 5000, BAD_WAIT("2147483648"));
	check_wait("0", 5000, BAD_WAIT("0"));
	check_wait("2s", 5000, BAD_WAIT("2s"));
	check_wait("1.5", 5000, BAD_WAIT("1.5"));
}

int main(void)
{
	RUN(test_lists);
	RUN(test_unreadable_words);
	RUN(test_overruled_word);
	RUN(test_long_word);
	RUN(test_socket);
	RUN(test_settings);
	RUN(test_fault);
	RUN(test_comes_back);
	RUN(test_threads);
	RUN(test_wait);
	return 0;
}
