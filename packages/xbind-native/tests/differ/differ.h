/* SPDX-License-Identifier: MIT */
/*
 * differ.h - a random sequence of calls, and a trace of what each of them gave
 *
 * How it works: a step is made from the seed and its own number alone, so that dropping one leaves
 * the others as they are. What it chooses further it takes from what any program could see. So the
 * same seed gives the same trace, unless somebody makes a difference that a program can tell.
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

#define IP_PROTOCOL_ 52 /* an option that reads as the port */

#define SLOTS           8
#define STEPS_MAX       64
#define LONGEST_SECONDS 20    /* then the trace ends */
#define PORTS           8     /* of one seed, from its first on */
#define PUBLISHED_PORT  42000 /* from here on those that ports are published as */
#define RESERVED_PORT   512   /* from here to 1023 libc chooses */
#define EPHEMERAL_PORT  50000 /* from here on the kernel chooses: ip_local_port_range */

/* The sequence that this process runs. */
struct sequence {
	uint64_t seed;
	uint16_t first_port;
	uint16_t first_published; /* what the library makes of that one */
	int next;                 /* number of the step */
	int count;
	const char *dropped;
	bool away;    /* the server is in another namespace: without a port nobody talks */
	bool apart;   /* not every port is listed there: nobody talks at all */
	bool there;   /* without the library all is there: the defaults at home are of no account */
	bool partial; /* not every port is listed */
	bool held;    /* another process has the sockets, too: none is closed */
	bool jailed;  /* a socket that is closed may be there a little longer: xbind(7) */
	bool execs;   /* what is not known any more after exec is not done */
	int slots[SLOTS];
};
extern struct sequence sequence;

/* Numbers of one step. */
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

/* One line of the trace, in parts. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_bytes(const void *bytes, size_t len);
void say_signals(void);
void end_line(void);

#define UNTOUCHED 12345 /* an errno that no call gives */

/* What a call gave: its value or -1 and errno. Sets errno to UNTOUCHED, as success leaves it. */
void before_call(void);
void say_result(long rc);
#define SAY_CALL(call) (before_call(), say_result(call))

/* For a call that may block: it is interrupted soon. */
void before_long_call(void);
/* For one that signals must not disturb: there are many, or one whose handler does the same. */
void before_pestered_call(void);
void before_disturbed_call(void);
void after_long_call(void);
void say_disturbance(void);

/* Descriptors */
int a_fd(void);     /* of a random slot, or one that is not open */
int a_socket(void); /* the same, a socket if there is one */
int a_set(void);    /* an epoll set if there is one, else as a_fd() */
void keep(int fd);  /* a new one goes to a free slot, or in place of another */
bool is_socket(int fd);
bool is_set(int fd);
bool is_movable(int fd); /* by bind(2) or listen(2) */
bool has_other_defaults(int fd);
bool is_repaired(int fd); /* TCP_REPAIR is on */
void settle_sets(void);
void drop(int fd); /* close, where the sequence may */
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
void publish(union address *address); /* its port is that where others find it */
uint16_t a_port(void);
uint16_t port_of(int fd); /* 0 for what has none */

/* At the end of memory: what is behind it, and with cut the second half too, cannot be read. */
void *at_the_edge(const void *bytes, size_t len, bool cut);

/* Two processes that take turns with the steps: step_share.c */
struct turn {
	pid_t other; /* 0 when there is none */
	int give, take;
	bool is_child;
};
extern struct turn turn;
bool turn_begin(int number); /* false: it was the other's, and is over */
void turn_wait(void);
void turn_end(void);
bool turn_is_shared(int fd);
int turn_join(void);

/* What several steps do */
void receive(int fd);
void send_off(int to, const int *fds, size_t count);
void take_in(int from, int *fds, size_t count);
void talk_to(int server, int set);
void say_ready(int set);
void say_events(struct epoll_event *events, int count); /* what epoll_wait(2) gave */

/* Where a program may make the calls of a step: context.c */
enum {
	IN_ANY = 1,  /* in a thread, in a signal handler */
	IN_CALM = 2, /* in a thread that is to end at the first cancellation point */
	IN_CHILD = 4 /* in a child of vfork(2): it changes nothing of the process alone */
};
void run_somewhere(void (*step)(void), int where);
void allow_cancellation(bool allow);

/* Options */
#define LEVELS 6
extern const int levels[LEVELS];
int option_of(int fd, int level, int name, int otherwise); /* a number, if it can be read */
int protocol_of(int fd);
bool is_chance(int level, int name);
bool is_apart(int level, int name);
bool is_unreadable(int level, int name);
bool is_bounded(int level, int name);
socklen_t a_length(void);

/* Steps; each writes the rest of its line. */
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

/*
 * The whole sequence of a seed but for what is dropped, or the rest of it, from what an earlier
 * program has left. Return: the exit status.
 */
int sequence_run(uint64_t seed, const char *dropped, const char *left);
int sequence_go_on(void);
void wait_for_parent(int fd);
void say_left(char *text, size_t size); /* for that program */
uint16_t first_port(uint64_t seed);
bool seed_is_partial(uint64_t seed);

/* Both are cut to pieces. All lines are shown, or the first two that differ. */
void show_difference(char *plain, char *preloaded, bool whole);

void set_default(int fd);
void show_options(int fd);
void show_state(int fd);

#endif
