/* SPDX-License-Identifier: MIT */
/*
 * hook_dlsym.S - dlsym(3) in front of libc's
 *
 * For RTLD_NEXT libc's function looks at its return address to learn who asks. So it is jumped to,
 * with the caller's arguments and return address, unless byway_find() has something else to return.
 */

	.text
	.globl	dlsym
	.type	dlsym, %function

#if defined(__x86_64__)

dlsym:
	.cfi_startproc
	endbr64
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	byway_find
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	testq	%rax, %rax
	jne	1f
	jmp	*byway_dlsym(%rip)
1:	ret
	.cfi_endproc

#elif defined(__aarch64__)

dlsym:
	.cfi_startproc
	hint	#34 /* bti c */
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset 29, -32
	.cfi_offset 30, -24
	stp	x0, x1, [sp, #16]
	mov	x29, sp
	bl	byway_find
	mov	x16, x0
	ldp	x0, x1, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore 29
	.cfi_restore 30
	cbnz	x16, 1f
	adrp	x16, byway_dlsym
	ldr	x16, [x16, :lo12:byway_dlsym]
	br	x16
1:	mov	x0, x16
	ret
	.cfi_endproc

#endif

	.size	dlsym, . - dlsym

#include "landing.S"
