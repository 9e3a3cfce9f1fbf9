/* SPDX-License-Identifier: MIT */
/*
 * landing.S - at the end of each file in assembler: what the linker has to know of it
 *
 * The stack holds no code, and whatever is jumped to begins with a landing pad. The linker says so
 * of the library (IBT and SHSTK, BTI) if every object does, compiled ones by an option of theirs.
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
