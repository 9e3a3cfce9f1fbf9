/* SPDX-License-Identifier: MIT */
/*
 * hook_dlsym.S - dlsym(3) and dlvsym(3) in front of libc's
 *
 * For RTLD_NEXT libc's function looks at its return address to learn who asks. So it is jumped to,
 * with the caller's arguments and return address, unless byway_dlsym.c has something else to return.
 */

	.text

#if defined(__x86_64__)

.macro hook name find next
	.globl	\name
	.type	\name, %function
\name:
	.cfi_startproc
	endbr64
	.irp register, rdi, rsi, rdx
	pushq	%\register
	.cfi_adjust_cfa_offset 8
	.endr
	call	\find
	.irp register, rdx, rsi, rdi
	popq	%\register
	.cfi_adjust_cfa_offset -8
	.endr
	testq	%rax, %rax
	jne	1f
	jmp	*\next(%rip)
1:	ret
	.cfi_endproc
	.size	\name, . - \name
.endm

#elif defined(__aarch64__)

.macro hook name find next
	.globl	\name
	.type	\name, %function
\name:
	.cfi_startproc
	hint	#34 /* bti c */
	stp	x29, x30, [sp, #-48]!
	.cfi_def_cfa_offset 48
	.cfi_offset 29, -48
	.cfi_offset 30, -40
	stp	x0, x1, [sp, #16]
	str	x2, [sp, #32]
	mov	x29, sp
	bl	\find
	mov	x16, x0
	ldp	x0, x1, [sp, #16]
	ldr	x2, [sp, #32]
	ldp	x29, x30, [sp], #48
	.cfi_def_cfa_offset 0
	.cfi_restore 29
	.cfi_restore 30
	cbnz	x16, 1f
	adrp	x16, \next
	ldr	x16, [x16, :lo12:\next]
	br	x16
1:	mov	x0, x16
	ret
	.cfi_endproc
	.size	\name, . - \name
.endm

#endif

hook dlsym byway_find byway_dlsym
hook dlvsym byway_find_version byway_dlvsym

#include "landing.S"
