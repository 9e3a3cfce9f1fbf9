/* SPDX-License-Identifier: MIT */
/* place.h - the network namespaces that pair makes */
#ifndef SUPPORT_PLACE_H
#define SUPPORT_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Defined by pair.c: cleans up, prints what failed and errno, and exits. */
_Noreturn void die(const char *what);

/* Becomes an ordinary user for good. */
void place_become(uid_t uid);

/**
 * place_enter() - enter a new network namespace, whose only device is lo, which is up
 * @sysctls: what to set there, for example net/ipv4/ip_default_ttl=7; ends with NULL
 *
 * An unprivileged user enters a user namespace first, as its root.
 *
 * Return: false with errno if the kernel refuses.
 */
bool place_enter(const char *const sysctls[]);

/* The namespace's SO_NETNS_COOKIE. */
uint64_t place_cookie(void);

#endif
