/* SPDX-License-Identifier: MIT */
/*
 * audit.c - a library for LD_AUDIT that is told of the return of each call, on x86-64
 *
 * Calls between two libraries then return to the dynamic linker first, so dlsym(3) and dlvsym(3)
 * take that for the caller that asks for RTLD_NEXT.
 */
#include "core/visibility.h"

#include <link.h>
#include <stdint.h>

#define STACK_BYTES 64 /* bytes of stack arguments to copy; with 0 no returns are reported */

EXPORT unsigned la_version(unsigned version)
{
	return version;
}

EXPORT unsigned la_objopen(struct link_map *object, Lmid_t list, uintptr_t *cookie)
{
	(void)object;
	(void)list;
	(void)cookie;
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

EXPORT Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
                                         uintptr_t *to, La_x86_64_regs *in, unsigned *flags,
                                         const char *name, long *stack_bytes)
{
	(void)index;
	(void)from;
	(void)to;
	(void)in;
	(void)flags;
	(void)name;
	*stack_bytes = STACK_BYTES;
	return symbol->st_value;
}

EXPORT unsigned la_x86_64_gnu_pltexit(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
                                      uintptr_t *to, const La_x86_64_regs *in,
                                      La_x86_64_retval *out, const char *name)
{
	(void)symbol;
	(void)index;
	(void)from;
	(void)to;
	(void)in;
	(void)out;
	(void)name;
	return 0;
}
