/* SPDX-License-Identifier: MIT */
/* forbid.h - seccomp filters against a system call, or an option of getsockopt(2) */
#ifndef SUPPORT_FORBID_H
#define SUPPORT_FORBID_H

#include "support/child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifdef SYS_fcntl64 /* where fcntl's argument is too short */
#define CALL_FCNTL SYS_fcntl64
#else
#define CALL_FCNTL SYS_fcntl
#endif
#ifdef SYS_ppoll_time64 /* where time_t was too short */
#define CALL_PPOLL SYS_ppoll_time64
#else
#define CALL_PPOLL SYS_ppoll
#endif

/* Offset of the low half of an argument. */
#define FORBID_ARGUMENT(i)                                                                         \
	(offsetof(struct seccomp_data, args) + 8 * (i) +                                           \
	 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

#define FORBIDDEN EXDEV /* an errno that nothing else in a test returns */

/* In an emulator the filter would apply to the emulator's own calls, too. */
static inline bool forbid_works(void)
{
	return !getenv("TEST_EMULATOR");
}

/* Runs body, which forbids something for good, in a child process if that works. */
static inline void forbid_run(void (*body)(void))
{
	if (forbid_works())
		child_run(body);
}

/* Return: 0, or the descriptor that the flags ask for (SECCOMP_FILTER_FLAG_NEW_LISTENER). */
static inline int forbid_filter(struct sock_filter *code, unsigned short count, unsigned flags)
{
	struct sock_fprog program = {count, code};
	int rc;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	rc = flags == 0 /* Valgrind knows only prctl(2) */
	         ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)
	         : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	CHECK(rc >= 0);
	return rc;
}

/* From here on this system call has the given outcome (SECCOMP_RET_...). */
static inline void forbid_by(unsigned action, long number)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)number},
	    {BPF_RET | BPF_K, 0, 0, action},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};

	forbid_filter(code, COUNT(code), 0);
}

/* From here on this system call fails. */
static inline void forbid(long number)
{
	forbid_by(SECCOMP_RET_ERRNO | FORBIDDEN, number);
}

/* Both calls that tell what file a descriptor refers to. */
static inline void forbid_stat(void)
{
	forbid(SYS_statx);
#ifdef SYS_fstat64
	forbid(SYS_fstat64);
#elif defined(SYS_fstat)
	forbid(SYS_fstat);
#endif
}

/* The same for a call with this second argument. Return: as forbid_filter(). */
static inline int forbid_with(unsigned action, unsigned flags, long number, unsigned second)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (unsigned)number},
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, FORBID_ARGUMENT(1)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, second},
	    {BPF_RET | BPF_K, 0, 0, action},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};

	return forbid_filter(code, COUNT(code), flags);
}

#define FORBID_MOST 32 /* calls */

/* From here on the process is killed at any other call than these, but not where a processor has
 * two names for a call, or where a sanitizer makes calls of its own. */
static inline void forbid_others(const long *calls, size_t count)
{
	struct sock_filter code[2 * FORBID_MOST + 2] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	};

	CHECK(count <= FORBID_MOST);
#if (!defined(__x86_64__) && !defined(__aarch64__)) || defined(__SANITIZE_ADDRESS__) ||            \
    defined(__SANITIZE_THREAD__)
	return;
#endif
	for (size_t i = 0; i < count; i++) {
		code[1 + 2 * i] =
		    (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)calls[i]};
		code[2 + 2 * i] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	}
	code[1 + 2 * count] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS};
	forbid_filter(code, (unsigned short)(2 * count + 2), 0);
}

/* From here on reading this option fails with error. */
static inline void forbid_option_by(int error, int level, int name)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, SYS_getsockopt},
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, FORBID_ARGUMENT(1)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (unsigned)level},
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, FORBID_ARGUMENT(2)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)name},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (unsigned)error},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};

	forbid_filter(code, COUNT(code), 0);
}

/* From here on reading this option fails. */
static inline void forbid_option(int level, int name)
{
	forbid_option_by(FORBIDDEN, level, name);
}

#endif
