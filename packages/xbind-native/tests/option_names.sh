#!/bin/sh
# option_names.sh COMPILER: what the kernel's headers have names for, as a list for a C program
#
# One line, NAME(LEVEL, CONSTANT), for each macro that may be an option of setsockopt(2). What is
# made by BIT() is none, and new headers have it without a definition of BIT().
set -eu

# names HEADER PATTERN LEVEL
names() {
	printf '#include <%s>\n' "$1" | "$compiler" -E -dM - |
		sed -n "/ BIT(/d; s/^#define \\($2[A-Z0-9_]*\\) [^(]*\\(([^)]*)\\)*.*\$/NAME($3, \\1)/p" | sort
}

compiler=$1
names asm/socket.h SO_ SOL_SOCKET
names linux/in.h IP_ IPPROTO_IP
names linux/in.h MCAST_ IPPROTO_IP
names linux/in6.h IPV6_ IPPROTO_IPV6
names linux/tcp.h TCP_ IPPROTO_TCP
names linux/udp.h UDP_ IPPROTO_UDP
