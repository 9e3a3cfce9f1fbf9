/* SPDX-License-Identifier: MIT */
/* step_signalled.c - signals of a descriptor, read from a signalfd(2) */
#include "differ/differ.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALS_MAX 64

static int sender; /* the socket */

static void set_owner(void)
{
	static const struct f_owner_ex types[] = {
	    {.type = F_OWNER_TID}, {.type = F_OWNER_PID}, {.type = F_OWNER_PGRP}};
	struct f_owner_ex owner = ONE_OF(types);
	int self = getpid();

	owner.pid = self;
	if (owner.type == F_OWNER_TID)
		owner.pid = (int)syscall(SYS_gettid);
	if (owner.type == F_OWNER_PGRP)
		owner.pid = getpgrp();
	switch (below(4)) {
	case 0:
		say(" own");
		say_result(fcntl(sender, F_SETOWN, one_in(4) ? 0 : self));
		break;
	case 1:
		say(" owner %d", owner.type);
		say_result(fcntl(sender, F_SETOWN_EX, &owner));
		break;
	default:
		say(" ioctl");
		say_result(syscall(SYS_ioctl, sender, one_in(2) ? FIOSETOWN : SIOCSPGRP, &self));
	}
}

static void set_signal(void)
{
	const int numbers[] = {0, SIGIO, SIGUSR1, SIGRTMIN + 3};
	const int number = ONE_OF(numbers);

	say(" signal %d", number);
	say_result(fcntl(sender, F_SETSIG, number));
}

static void set_async(void)
{
	int on = !one_in(4);

	say(" async %d", on);
	if (one_in(2))
		say_result(syscall(SYS_ioctl, sender, FIOASYNC, &on));
	else
		say_result(fcntl(sender, F_SETFL, on ? O_ASYNC | O_NONBLOCK : O_NONBLOCK));
}

static int by_content(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct signalfd_siginfo));
}

/* Prints which signals have come, but not how often. */
static void say_received(int from)
{
	static struct signalfd_siginfo read_now[SIGNALS_MAX], kept[SIGNALS_MAX];
	const ssize_t len = read(from, read_now, sizeof(read_now));
	const size_t count = len > 0 ? (size_t)len / sizeof(read_now[0]) : 0;

	for (size_t i = 0; i < count; i++) {
		kept[i] = (struct signalfd_siginfo){.ssi_signo = read_now[i].ssi_signo,
		                                    .ssi_code = read_now[i].ssi_code,
		                                    .ssi_fd = read_now[i].ssi_fd,
		                                    .ssi_band = read_now[i].ssi_band};
	}
	qsort(kept, count, sizeof(kept[0]), by_content);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || memcmp(&kept[i], &kept[i - 1], sizeof(kept[0])) != 0)
			say(" {%u %d fd %d band %x}", kept[i].ssi_signo, kept[i].ssi_code,
			    kept[i].ssi_fd, kept[i].ssi_band);
	}
}

static void talk_and_listen(int from)
{
	union address address;
	socklen_t len;
	char byte;

	if (port_of(sender) == 0 || !address_of(sender, &address, &len))
		return;
	say(" send");
	say_result(sendto(sender, "x", 1, MSG_DONTWAIT, &address.any, len));
	say_received(from);
	say(" receive");
	say_result(recv(sender, &byte, 1, MSG_DONTWAIT));
	say_received(from);
}

static void change_some(void)
{
	static void (*const ways[])(void) = {set_owner, set_owner, set_signal, set_async,
	                                     set_async};

	while (!one_in(6))
		ONE_OF(ways)();
}

static void bind_sender(void)
{
	say(" bind");
	SAY_CALL(pair_bind(sender, a_port()));
}

void step_signalled(void)
{
	sigset_t wanted, before;
	int from;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGIO);
	sigaddset(&wanted, SIGUSR1);
	sigaddset(&wanted, SIGURG);
	sigaddset(&wanted, SIGRTMIN + 3);
	pthread_sigmask(SIG_BLOCK, &wanted, &before);
	from = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	say("signalled");
	change_some();
	say_received(from);
	bind_sender();
	say_received(from);
	show_state(sender);
	talk_and_listen(from);
	change_some();
	talk_and_listen(from);
	close(sender);
	say_received(from);
	close(from);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
