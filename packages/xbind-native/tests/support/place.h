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
 * place_enter() - go into a new namespace, which has lo alone, and that up
 * @sysctls: what to set there, as net/ipv4/ip_default_ttl=7, up to a NULL
 *
 * A user without privilege goes into a user namespace first, as its root.
 *
 * Return: false with errno when the kernel gives none.
 */
bool place_enter(const char *const sysctls[]);

/* The namespace's SO_NETNS_COOKIE. */
uint64_t place_cookie(void);

#endif
