/* SPDX-License-Identifier: MIT */
/*
 * landing.S - notes for the linker, included at the end of each assembler file
 *
 * The stack is not executable, and every indirect jump target begins with a landing pad. The linker
 * marks the library so (IBT and SHSTK, BTI) if every object is marked, compiled ones by an option.
 */
	.section .note.GNU-stack, "", %progbits

	.section .note.gnu.property, "a"
#if defined(__i386__)
	.p2align 2
	.long	4, 12, 5
#else
	.p2align 3
	.long	4, 16, 5
#endif
	.asciz	"GNU"
#if defined(__aarch64__)
	.long	0xc0000000, 4, 1
#else
	.long	0xc0000002, 4, 3
#endif
#if !defined(__i386__)
	.long	0
#endif
