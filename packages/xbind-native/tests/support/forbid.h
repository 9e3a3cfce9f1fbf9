/* SPDX-License-Identifier: MIT */
/* forbid.h - a seccomp filter against one system call */
#ifndef SUPPORT_FORBID_H
#define SUPPORT_FORBID_H

#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define FORBIDDEN EXDEV /* an errno that nothing else in a test gives */

/* One system call fails from here on. */
static inline void forbid(long number)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)number},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | FORBIDDEN},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

#endif
