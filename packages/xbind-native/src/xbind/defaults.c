/* SPDX-License-Identifier: MIT */
/*
 * defaults.c - the defaults of each kind of socket, asked once
 *
 * How it works: a cache for each kind is filled by the first swap, row by row while it goes through
 * the options anyway. Another swap meanwhile asks a fresh socket of its own: nobody waits for the
 * one that fills, which may have been interrupted by a signal handler or lost at fork(2). In
 * another network namespace than that of the cache, a fresh socket is asked each time.
 */
#include "xbind/defaults.h"

#include "core/fd.h"
#include "xbind/key.h"
#include "xbind/signals.h"

#include <netinet/in.h>
#include <stdatomic.h>

#define KINDS 8 /* IPv4 and IPv6 of TCP, MPTCP, UDP and UDP-Lite */

enum { EMPTY, FILLING, FULL };

struct defaults_cache {
	_Atomic int state;
	uint64_t netns; /* of the sockets that were asked, 0 where the kernel does not tell */
	struct option_value values[OPTIONS_COUNT];
};

static struct defaults_cache caches[KINDS];

static struct defaults_cache *cache_of(const struct kind *kind)
{
	int slot = kind->domain == AF_INET ? 0 : KINDS / 2;

	switch (kind->protocol) {
	case IPPROTO_TCP:
		return &caches[slot];
	case IPPROTO_UDP:
		return &caches[slot + 1];
	case IPPROTO_UDPLITE:
		return &caches[slot + 2];
	default: /* MPTCP, the last that kind_read() lets through */
		return &caches[slot + 3];
	}
}

static int open_fresh(const struct kind *kind)
{
	return fd_beyond_standard(
	    sys_socket(kind->domain, kind->type | SOCK_CLOEXEC, kind->protocol));
}

int defaults_ask(const struct kind *kind, const struct option *option, struct option_value *ret)
{
	/* A handler could leave by siglongjmp(3), and the socket would stay open. */
	const uint64_t signals = signals_block();
	const int fresh = open_fresh(kind);

	if (fresh >= 0) {
		option_read(fresh, option, ret);
		sys_close(fresh);
	}
	signals_restore(signals);
	return fresh < 0 ? fresh : 0;
}

int defaults_open(int old, const struct kind *kind, struct defaults *ret)
{
	struct defaults_cache *cache = cache_of(kind);
	uint64_t netns = key_of_namespace(old);
	int state = atomic_load_explicit(&cache->state, memory_order_acquire);
	int fresh;

	if (state == FULL && cache->netns == netns) {
		*ret = (struct defaults){.cache = cache, .fresh = -1};
		return 0;
	}
	fresh = open_fresh(kind);
	if (fresh < 0)
		return fresh;
	*ret = (struct defaults){.fresh = fresh};
	if (state == EMPTY && atomic_compare_exchange_strong(&cache->state, &state, FILLING)) {
		/* not always the namespace of the old one: setns(2) */
		cache->netns = key_of_namespace(fresh);
		ret->cache = cache;
	}
	return 0;
}

const struct option_value *defaults_get(struct defaults *defaults, int row)
{
	struct option_value *value =
	    defaults->cache ? &defaults->cache->values[row] : &defaults->value;

	if (defaults->fresh >= 0)
		option_read(defaults->fresh, &options[row], value);
	return value;
}

void defaults_close(struct defaults *defaults)
{
	if (defaults->fresh < 0)
		return;
	sys_close(defaults->fresh);
	if (defaults->cache)
		atomic_store_explicit(&defaults->cache->state, FULL, memory_order_release);
}
