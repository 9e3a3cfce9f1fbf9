/* SPDX-License-Identifier: MIT */
/*
 * test_static.c - a program can be linked with libxsocket.a
 *
 * On 32-bit x86 the compiler puts functions of the same name into both, of which the linker keeps
 * one.
 */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <xsocket.h>

static void test_missing_server(void)
{
	CHECK_EQ(xsocket("/nosuch/xsocket", AF_INET, SOCK_STREAM, 0), -1);
	CHECK_EQ(errno, ENOENT);
}

int main(void)
{
	RUN(test_missing_server);
	return 0;
}
