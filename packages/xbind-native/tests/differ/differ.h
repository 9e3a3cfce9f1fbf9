/* SPDX-License-Identifier: MIT */
/*
 * differ.h - a random sequence of calls, and a trace of their results
 *
 * How it works: each step is made only from the seed and the step's number, so that dropping one
 * leaves the others unchanged. All other choices depend only on what a program could see. So the
 * same seed gives the same trace, unless there is a difference that a program can notice.
 */
#ifndef DIFFER_H
#define DIFFER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define IP_PROTOCOL_ 52 /* reads as the port */

#define SLOTS           8
#define STEPS_MAX       64
#define LONGEST_SECONDS 20    /* until the trace ends */
#define PORTS           8     /* ports of a seed, starting with its first */
#define PUBLISHED_PORT  42000 /* first of the ports that others are published as */
#define RESERVED_PORT   512   /* first of those that libc chooses, up to 1023 */
#define EPHEMERAL_PORT  50000 /* first of those that the kernel chooses: ip_local_port_range */

/* The sequence of this process. */
struct sequence {
	uint64_t seed;
	uint16_t first_port;
	uint16_t first_published; /* the port that the first one is published as */
	int next;                 /* number of the current step */
	int count;
	const char *dropped;
	bool away;    /* server in another namespace: nothing is sent without a port */
	bool apart;   /* and not every port is listed: nothing is sent at all */
	bool there;   /* without the library all is there, too: defaults at home do not count */
	bool partial; /* not every port is listed */
	bool held;    /* another process shares the sockets: close none */
	bool jailed;  /* a closed socket may stay open for a moment: xbind(7) */
	bool execs;   /* leave out steps that depend on records lost at exec */
	int slots[SLOTS];
};
extern struct sequence sequence;

/* Random numbers of one step. */
uint32_t random_next(void);
void random_start(uint64_t seed, uint64_t step);
static inline uint32_t below(uint32_t count)
{
	return random_next() % count;
}
static inline bool one_in(uint32_t count)
{
	return below(count) == 0;
}
#define ONE_OF(list) ((list)[below(sizeof(list) / sizeof((list)[0]))])
int random_int(void);

/* Parts of one line of the trace. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_bytes(const void *bytes, size_t len);
void say_signals(void);
void end_line(void);

#define UNTOUCHED 12345 /* an errno that no call sets */

/* The result of a call: its value, or -1 and errno. errno is UNTOUCHED before, and stays so on
 * success. */
void before_call(void);
void say_result(long rc);
#define SAY_CALL(call) (before_call(), say_result(call))

/* Before a call that may block: a signal interrupts it soon. */
void before_long_call(void);
/* Before a call that signals must not disturb: many signals, or one whose handler makes such
 * calls. */
void before_pestered_call(void);
void before_disturbed_call(void);
void after_long_call(void);
void say_disturbance(void);

/* Descriptors */
int a_fd(void);     /* of a random slot, or an unused number */
int a_socket(void); /* the same, but a socket if there is one */
int a_set(void);    /* an epoll set if there is one, else as a_fd() */
void keep(int fd);  /* stores a new one in a free slot, or in place of another */
bool is_socket(int fd);
bool is_set(int fd);
bool is_movable(int fd); /* would bind(2) or listen(2) move it? */
bool has_other_defaults(int fd);
bool is_repaired(int fd); /* is TCP_REPAIR on? */
void settle_sets(void);
void drop(int fd); /* closes it, if the sequence may */
void leave_sets(int fd);
bool may_talk(int fd);

/* Addresses */
union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
	uint8_t bytes[256];
};
socklen_t an_address(int fd, union address *ret);
bool address_of(int fd, union address *ret, socklen_t *ret_len);
void say_address(const union address *address, socklen_t len);
bool stays_half(int fd, const union address *peer);
void publish(union address *address); /* replaces its port by the published one */
uint16_t a_port(void);
uint16_t port_of(int fd); /* 0 for none */

/* A copy that ends at unreadable memory; with cut its second half is missing as well. */
void *at_the_edge(const void *bytes, size_t len, bool cut);

/* Two processes that take turns to run steps: step_share.c */
struct turn {
	pid_t other; /* 0 for none */
	int give, take;
	bool is_child;
};
extern struct turn turn;
bool turn_begin(int number); /* false: the other one has run the step */
void turn_wait(void);
void turn_end(void);
bool turn_is_shared(int fd);
int turn_join(void);

/* Used by several steps */
void receive(int fd);
void send_off(int to, const int *fds, size_t count);
void take_in(int from, int *fds, size_t count);
void talk_to(int server, int set);
void say_ready(int set);
void say_events(struct epoll_event *events, int count); /* results of epoll_wait(2) */

/* Where the calls of a step may be made: context.c */
enum {
	IN_ANY = 1,  /* in a thread or a signal handler */
	IN_CALM = 2, /* in a thread that is cancelled */
	IN_CHILD = 4 /* in a child of vfork(2): the step does not change the process */
};
void run_somewhere(void (*step)(void), int where);
void allow_cancellation(bool allow);

/* Options */
#define LEVELS 6
extern const int levels[LEVELS];
int option_of(int fd, int level, int name, int otherwise); /* `otherwise` if unreadable */
int protocol_of(int fd);
bool is_chance(int level, int name);
bool is_apart(int level, int name);
bool is_unreadable(int level, int name);
bool is_bounded(int level, int name);
socklen_t a_length(void);

/* Steps. Each writes the rest of its line of the trace. */
void step_socket(void);
void step_pair(void);
void step_bind(void);
void step_reserved(void);
void step_listen(void);
void step_connect(void);
void step_accept(void);
void step_names(void);
void step_shutdown(void);
void step_send(void);
void step_receive(void);
void step_vector(void);
void step_option_common(void);
void step_option_any(void);
void step_option_shaped(void);
void step_option_default(void);
void step_option_read(void);
void step_options_all(void);
void step_dup(void);
void step_close(void);
void step_close_range(void);
void step_fcntl(void);
void step_ioctl(void);
void step_stat(void);
void step_told(void);
void step_chown(void);
void step_pass(void);
void step_fork(void);
void step_exec(void);
void step_chroot(void);
void step_unshare(void);
void step_isolate(void);
void step_share(void);
void step_set(void);
void step_control(void);
void step_wait(void);
void step_poll(void);
void step_waiter(void);
void step_apart(void);
void step_crowd(void);
void step_groups(void);
void step_refuse(void);
void step_odd(void);
void step_stay(void);
void step_armed(void);
void step_flight(void);
void step_keyed(void);
void step_signalled(void);
void step_served(void);
void step_raced(void);
void step_heard(void);
void step_probe(void);

/* Runs the whole sequence of a seed without the dropped steps, or continues it from the state
 * that an earlier program has left. Return: the exit status. */
int sequence_run(uint64_t seed, const char *dropped, const char *left);
int sequence_go_on(void);
void wait_for_parent(int fd);
void say_left(char *text, size_t size); /* the state for the next program */
uint16_t first_port(uint64_t seed);
bool seed_is_partial(uint64_t seed);

/* Prints all lines of two traces, or the first two that differ. Both texts are modified. */
void show_difference(char *plain, char *preloaded, bool whole);

void set_default(int fd);
void show_options(int fd);
void show_state(int fd);

#endif
