/* SPDX-License-Identifier: MIT */
/*
 * hook_syscall.S - syscall(2) in front of libc's
 *
 * Jumps to what syscall_find() returns, with the caller's arguments and return address: so a call
 * that returns twice or on another stack, such as clone(2), returns to the program itself. The
 * number of arguments is unknown. On the stack, the place of an argument that was not given is a
 * variable of the caller: it may be read, but not written, not even with what was read.
 *
 * byway_syscall() is the same for callers that have looked syscall up in libc (byway.h).
 */

	.text

#if defined(__x86_64__)

.macro jump_to_found find
	endbr64
	.irp register, rdi, rsi, rdx, rcx, r8, r9
	pushq	%\register
	.cfi_adjust_cfa_offset 8
	.endr
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	\find
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	.irp register, r9, r8, rcx, rdx, rsi, rdi
	popq	%\register
	.cfi_adjust_cfa_offset -8
	.endr
	jmp	*%rax
.endm

#elif defined(__i386__)

.macro jump_to_found find
	endbr32
	subl	$8, %esp
	.cfi_adjust_cfa_offset 8
	pushl	12(%esp)
	.cfi_adjust_cfa_offset 4
	call	\find
	addl	$12, %esp
	.cfi_adjust_cfa_offset -12
	jmp	*%eax
.endm

#elif defined(__aarch64__)

.macro jump_to_found find
	hint	#34 /* bti c */
	stp	x29, x30, [sp, #-80]!
	.cfi_def_cfa_offset 80
	.cfi_offset 29, -80
	.cfi_offset 30, -72
	mov	x29, sp
	stp	x0, x1, [sp, #16]
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	str	x6, [sp, #64]
	bl	\find
	mov	x16, x0
	ldp	x0, x1, [sp, #16]
	ldp	x2, x3, [sp, #32]
	ldp	x4, x5, [sp, #48]
	ldr	x6, [sp, #64]
	ldp	x29, x30, [sp], #80
	.cfi_def_cfa_offset 0
	.cfi_restore 29
	.cfi_restore 30
	br	x16
.endm

#endif

.macro hook name find
	.type	\name, %function
\name:
	.cfi_startproc
	jump_to_found \find
	.cfi_endproc
	.size	\name, . - \name
.endm

	.globl	syscall
hook syscall syscall_find

#if HOOKS_DLSYM
	.globl	byway_syscall
	.hidden	byway_syscall
hook byway_syscall byway_syscall_find
#endif

#include "landing.S"
