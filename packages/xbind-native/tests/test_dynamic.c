/* SPDX-License-Identifier: MIT */
/* test_dynamic.c - pointers in a dynamic section, whether or not the dynamic linker has relocated
 * them */
#include "xbind/dynamic.h"

#include "test.h"

#define OFFSET 64       /* of the table from the load address */
#define SOME   0x900000 /* bytes */

static ElfW(Dyn) section[] = {{.d_tag = DT_SONAME, .d_un = {.d_val = 7}},
                              {.d_tag = DT_STRTAB},
                              {.d_tag = DT_NULL, .d_un = {.d_val = 7}}};

/* An object that is linked for one address and loaded at another. */
static void check(uintptr_t link_address, uintptr_t value)
{
	const uintptr_t loaded_at = (uintptr_t)section;
	const struct link_map object = {.l_addr = loaded_at - link_address, .l_ld = section};

	section[1].d_un.d_ptr = value;
	CHECK_EQ((uintptr_t)dynamic_table(&object, DT_STRTAB), loaded_at + OFFSET);
	CHECK_EQ(dynamic_value(&object, DT_STRTAB), value);
}

static void check_offset(uintptr_t link_address)
{
	check(link_address, link_address + OFFSET);
}

static void check_address(uintptr_t link_address)
{
	check(link_address, (uintptr_t)section + OFFSET);
}

static void test_tables(void)
{
	check_offset(0);
	check_address(0);
	check_offset(SOME);
	check_address(SOME);
	check_address((uintptr_t)section); /* as an executable that is not position-independent */
	check_address((uintptr_t)section + SOME);
}

/* gVisor's vDSO is linked for the end of the address space, as the kernel's once was. */
static void test_vdso(void)
{
	check_offset(0 - (uintptr_t)SOME);
}

static void test_values(void)
{
	const struct link_map object = {.l_addr = (uintptr_t)section, .l_ld = section};

	CHECK_EQ(dynamic_value(&object, DT_SONAME), 7);
	CHECK_EQ(dynamic_value(&object, DT_SYMTAB), 0);
}

int main(void)
{
	RUN(test_tables);
	RUN(test_vdso);
	RUN(test_values);
	return 0;
}
