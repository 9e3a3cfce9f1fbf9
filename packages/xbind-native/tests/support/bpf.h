/* SPDX-License-Identifier: MIT */
/* bpf.h - load eBPF programs */
#ifndef SUPPORT_BPF_H
#define SUPPORT_BPF_H

#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Return: the program's descriptor, -1 if it may not be loaded. */
static inline int load_code(enum bpf_prog_type type, const struct bpf_insn *code, size_t count)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr)); /* gcc 15 zeroes only the first member of a union */
	attr.prog_type = type;
	attr.insn_cnt = (uint32_t)count;
	attr.insns = (uintptr_t)code;
	attr.license = (uintptr_t)"GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* Loads a program that accepts everything. Return: as above. */
static inline int load_program(void)
{
	const struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0xffff},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	return load_code(BPF_PROG_TYPE_SOCKET_FILTER, code, 2);
}

#endif
