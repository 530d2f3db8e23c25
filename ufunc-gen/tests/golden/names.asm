# names.c 6d637f2b5fbcfed6: gcc -std=gnu11 -O2 -gdwarf-5 -falign-functions=64 -fno-asynchronous-unwind-tables -fno-pic -fcf-protection=none -gno-record-gcc-switches
# SPDX-License-Identifier: MIT OR Apache-2.0
	.file	"names.c"
	.text
.Ltext0:
	.cfi_sections	.debug_frame
	.file 0 "." "names.c"
#APP
	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=acquire"
.asciz "fn=match"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=release"
.asciz "fn=drop"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=plain"
.asciz "fn=type"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=plain"
.asciz "fn=Some"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=plain"
.asciz "fn=u64"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=plain"
.asciz "fn=core"
992:
.balign 4
.popsection

	.pushsection .note.ufunc, "a", %note
.balign 4
.4byte 6
.4byte 992f - 991f
.4byte 1
.asciz "ufunc"
.balign 4
991:
.asciz "role=plain"
.asciz "fn=r"
992:
.balign 4
.popsection

#NO_APP
	.p2align 6
	.globl	match
	.type	match, @function
match:
.LVL0:
.LFB0:
	.file 1 "names.c"
	.loc 1 18 1 view -0
	.cfi_startproc
	.loc 1 19 2 view .LVU1
	.loc 1 19 16 is_stmt 0 view .LVU2
	addl	%esi, %edi
.LVL1:
	.loc 1 21 1 view .LVU3
	movl	$only, %eax
	.loc 1 19 16 view .LVU4
	movl	%edi, only(%rip)
	.loc 1 20 2 is_stmt 1 view .LVU5
	.loc 1 21 1 is_stmt 0 view .LVU6
	ret
	.cfi_endproc
.LFE0:
	.size	match, .-match
	.p2align 6
	.globl	drop
	.type	drop, @function
drop:
.LVL2:
.LFB1:
	.loc 1 24 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 25 2 view .LVU8
	.loc 1 25 11 is_stmt 0 view .LVU9
	movl	$0, (%rdi)
	.loc 1 26 1 view .LVU10
	ret
	.cfi_endproc
.LFE1:
	.size	drop, .-drop
	.p2align 6
	.globl	type
	.type	type, @function
type:
.LVL3:
.LFB2:
	.loc 1 32 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 33 2 view .LVU12
	.loc 1 33 13 is_stmt 0 view .LVU13
	movl	(%rdi), %eax
	.loc 1 34 1 view .LVU14
	ret
	.cfi_endproc
.LFE2:
	.size	type, .-type
	.p2align 6
	.globl	Some
	.type	Some, @function
Some:
.LVL4:
.LFB3:
	.loc 1 37 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 38 2 view .LVU16
	.loc 1 38 13 is_stmt 0 view .LVU17
	leaq	1(%rdi), %rax
	.loc 1 39 1 view .LVU18
	ret
	.cfi_endproc
.LFE3:
	.size	Some, .-Some
	.p2align 6
	.globl	u64
	.type	u64, @function
u64:
.LVL5:
.LFB4:
	.loc 1 42 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 43 2 view .LVU20
	.loc 1 43 12 is_stmt 0 view .LVU21
	leal	1(%rdi), %eax
	.loc 1 44 1 view .LVU22
	ret
	.cfi_endproc
.LFE4:
	.size	u64, .-u64
	.p2align 6
	.globl	core
	.type	core, @function
core:
.LVL6:
.LFB5:
	.loc 1 47 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 48 2 view .LVU24
	.loc 1 48 15 is_stmt 0 view .LVU25
	leal	1(%rdi), %eax
	.loc 1 49 1 view .LVU26
	ret
	.cfi_endproc
.LFE5:
	.size	core, .-core
	.p2align 6
	.globl	r
	.type	r, @function
r:
.LVL7:
.LFB6:
	.loc 1 52 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 53 2 view .LVU28
	.loc 1 53 14 is_stmt 0 view .LVU29
	movl	(%rdi), %eax
	.loc 1 54 1 view .LVU30
	ret
	.cfi_endproc
.LFE6:
	.size	r, .-r
	.section	.rodata.ufunc_keep_6,"aR"
	.align 8
	.type	ufunc_keep_6, @object
	.size	ufunc_keep_6, 8
ufunc_keep_6:
	.quad	r
	.section	.rodata.ufunc_keep_5,"aR"
	.align 8
	.type	ufunc_keep_5, @object
	.size	ufunc_keep_5, 8
ufunc_keep_5:
	.quad	core
	.section	.rodata.ufunc_keep_4,"aR"
	.align 8
	.type	ufunc_keep_4, @object
	.size	ufunc_keep_4, 8
ufunc_keep_4:
	.quad	u64
	.section	.rodata.ufunc_keep_3,"aR"
	.align 8
	.type	ufunc_keep_3, @object
	.size	ufunc_keep_3, 8
ufunc_keep_3:
	.quad	Some
	.section	.rodata.ufunc_keep_2,"aR"
	.align 8
	.type	ufunc_keep_2, @object
	.size	ufunc_keep_2, 8
ufunc_keep_2:
	.quad	type
	.section	.rodata.ufunc_keep_1,"aR"
	.align 8
	.type	ufunc_keep_1, @object
	.size	ufunc_keep_1, 8
ufunc_keep_1:
	.quad	drop
	.section	.rodata.ufunc_keep_0,"aR"
	.align 8
	.type	ufunc_keep_0, @object
	.size	ufunc_keep_0, 8
ufunc_keep_0:
	.quad	match
	.local	only
	.comm	only,16,16
	.text
.Letext0:
	.section	.debug_info,"",@progbits
.Ldebug_info0:
	.long	0x335
	.value	0x5
	.byte	0x1
	.byte	0x8
	.long	.Ldebug_abbrev0
	.uleb128 0xd
	.long	.LASF23
	.byte	0x1d
	.long	.LASF0
	.long	.LASF1
	.quad	.Ltext0
	.quad	.Letext0-.Ltext0
	.long	.Ldebug_line0
	.uleb128 0xa
	.long	.LASF3
	.byte	0x10
	.byte	0x6
	.long	0x50
	.uleb128 0xb
	.string	"fn"
	.byte	0x7
	.long	0x50
	.uleb128 0xe
	.long	.LASF2
	.byte	0x1
	.byte	0x8
	.byte	0xf
	.long	0x6d
	.byte	0x8
	.byte	0
	.uleb128 0xf
	.byte	0x4
	.byte	0x5
	.string	"int"
	.uleb128 0xa
	.long	.LASF4
	.byte	0x4
	.byte	0xb
	.long	0x6d
	.uleb128 0xb
	.string	"dyn"
	.byte	0xc
	.long	0x50
	.byte	0
	.uleb128 0x1
	.long	0x57
	.uleb128 0x2
	.long	.LASF5
	.byte	0xf
	.byte	0x14
	.long	0x2e
	.uleb128 0x9
	.byte	0x3
	.quad	only
	.uleb128 0x5
	.long	0x9b
	.long	0x9b
	.uleb128 0x3
	.long	0x50
	.uleb128 0x3
	.long	0x50
	.byte	0
	.uleb128 0x1
	.long	0x2e
	.uleb128 0x2
	.long	.LASF6
	.byte	0x1c
	.byte	0x1
	.long	0xba
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_0
	.uleb128 0x1
	.long	0x87
	.uleb128 0x4
	.long	0xb5
	.uleb128 0x10
	.long	0xca
	.uleb128 0x3
	.long	0x9b
	.byte	0
	.uleb128 0x2
	.long	.LASF7
	.byte	0x1d
	.byte	0x1
	.long	0xe4
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_1
	.uleb128 0x1
	.long	0xbf
	.uleb128 0x4
	.long	0xdf
	.uleb128 0x5
	.long	0x50
	.long	0xf8
	.uleb128 0x3
	.long	0x9b
	.byte	0
	.uleb128 0x2
	.long	.LASF8
	.byte	0x38
	.byte	0x1
	.long	0x112
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_2
	.uleb128 0x1
	.long	0xe9
	.uleb128 0x4
	.long	0x10d
	.uleb128 0x5
	.long	0x126
	.long	0x126
	.uleb128 0x3
	.long	0x126
	.byte	0
	.uleb128 0x7
	.byte	0x8
	.byte	0x7
	.long	.LASF9
	.uleb128 0x2
	.long	.LASF10
	.byte	0x39
	.byte	0x1
	.long	0x147
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_3
	.uleb128 0x1
	.long	0x117
	.uleb128 0x4
	.long	0x142
	.uleb128 0x5
	.long	0x15b
	.long	0x15b
	.uleb128 0x3
	.long	0x15b
	.byte	0
	.uleb128 0x7
	.byte	0x1
	.byte	0x8
	.long	.LASF11
	.uleb128 0x2
	.long	.LASF12
	.byte	0x3a
	.byte	0x1
	.long	0x17c
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_4
	.uleb128 0x1
	.long	0x14c
	.uleb128 0x4
	.long	0x177
	.uleb128 0x5
	.long	0x190
	.long	0x190
	.uleb128 0x3
	.long	0x190
	.byte	0
	.uleb128 0x7
	.byte	0x2
	.byte	0x5
	.long	.LASF13
	.uleb128 0x2
	.long	.LASF14
	.byte	0x3b
	.byte	0x1
	.long	0x1b1
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_5
	.uleb128 0x1
	.long	0x181
	.uleb128 0x4
	.long	0x1ac
	.uleb128 0x5
	.long	0x50
	.long	0x1c5
	.uleb128 0x3
	.long	0x6d
	.byte	0
	.uleb128 0x2
	.long	.LASF15
	.byte	0x3c
	.byte	0x1
	.long	0x1df
	.uleb128 0x9
	.byte	0x3
	.quad	ufunc_keep_6
	.uleb128 0x1
	.long	0x1b6
	.uleb128 0x4
	.long	0x1da
	.uleb128 0xc
	.string	"r"
	.byte	0x33
	.byte	0x5
	.long	0x50
	.quad	.LFB6
	.quad	.LFE6-.LFB6
	.uleb128 0x1
	.byte	0x9c
	.long	0x211
	.uleb128 0x6
	.long	.LASF17
	.byte	0x33
	.byte	0x14
	.long	0x6d
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x8
	.long	.LASF16
	.byte	0x2e
	.byte	0x7
	.long	0x190
	.quad	.LFB5
	.quad	.LFE5-.LFB5
	.uleb128 0x1
	.byte	0x9c
	.long	0x240
	.uleb128 0x6
	.long	.LASF18
	.byte	0x2e
	.byte	0x12
	.long	0x190
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0xc
	.string	"u64"
	.byte	0x29
	.byte	0xf
	.long	0x15b
	.quad	.LFB4
	.quad	.LFE4-.LFB4
	.uleb128 0x1
	.byte	0x9c
	.long	0x26e
	.uleb128 0x9
	.string	"u8"
	.byte	0x29
	.byte	0x21
	.long	0x15b
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x8
	.long	.LASF19
	.byte	0x24
	.byte	0xf
	.long	0x126
	.quad	.LFB3
	.quad	.LFE3-.LFB3
	.uleb128 0x1
	.byte	0x9c
	.long	0x29d
	.uleb128 0x9
	.string	"u64"
	.byte	0x24
	.byte	0x22
	.long	0x126
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x8
	.long	.LASF3
	.byte	0x1f
	.byte	0x5
	.long	0x50
	.quad	.LFB2
	.quad	.LFE2-.LFB2
	.uleb128 0x1
	.byte	0x9c
	.long	0x2cc
	.uleb128 0x6
	.long	.LASF3
	.byte	0x1f
	.byte	0x17
	.long	0x9b
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x11
	.long	.LASF21
	.byte	0x1
	.byte	0x17
	.byte	0x6
	.quad	.LFB1
	.quad	.LFE1-.LFB1
	.uleb128 0x1
	.byte	0x9c
	.long	0x2f8
	.uleb128 0x6
	.long	.LASF20
	.byte	0x17
	.byte	0x18
	.long	0x9b
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x12
	.long	.LASF22
	.byte	0x1
	.byte	0x11
	.byte	0xe
	.long	0x9b
	.quad	.LFB0
	.quad	.LFE0-.LFB0
	.uleb128 0x1
	.byte	0x9c
	.uleb128 0x13
	.string	"ref"
	.byte	0x1
	.byte	0x11
	.byte	0x18
	.long	0x50
	.long	.LLST0
	.long	.LVUS0
	.uleb128 0x9
	.string	"mut"
	.byte	0x11
	.byte	0x21
	.long	0x50
	.uleb128 0x1
	.byte	0x54
	.byte	0
	.byte	0
	.section	.debug_abbrev,"",@progbits
.Ldebug_abbrev0:
	.uleb128 0x1
	.uleb128 0xf
	.byte	0
	.uleb128 0xb
	.uleb128 0x21
	.sleb128 8
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x2
	.uleb128 0x34
	.byte	0
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0x3
	.uleb128 0x5
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x4
	.uleb128 0x26
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x5
	.uleb128 0x15
	.byte	0x1
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x6
	.uleb128 0x5
	.byte	0
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0x7
	.uleb128 0x24
	.byte	0
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x3e
	.uleb128 0xb
	.uleb128 0x3
	.uleb128 0xe
	.byte	0
	.byte	0
	.uleb128 0x8
	.uleb128 0x2e
	.byte	0x1
	.uleb128 0x3f
	.uleb128 0x19
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x11
	.uleb128 0x1
	.uleb128 0x12
	.uleb128 0x7
	.uleb128 0x40
	.uleb128 0x18
	.uleb128 0x7a
	.uleb128 0x19
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x9
	.uleb128 0x5
	.byte	0
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0xa
	.uleb128 0x13
	.byte	0x1
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0x21
	.sleb128 8
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xb
	.uleb128 0xd
	.byte	0
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0x21
	.sleb128 6
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x38
	.uleb128 0x21
	.sleb128 0
	.byte	0
	.byte	0
	.uleb128 0xc
	.uleb128 0x2e
	.byte	0x1
	.uleb128 0x3f
	.uleb128 0x19
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x11
	.uleb128 0x1
	.uleb128 0x12
	.uleb128 0x7
	.uleb128 0x40
	.uleb128 0x18
	.uleb128 0x7a
	.uleb128 0x19
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xd
	.uleb128 0x11
	.byte	0x1
	.uleb128 0x25
	.uleb128 0xe
	.uleb128 0x13
	.uleb128 0xb
	.uleb128 0x3
	.uleb128 0x1f
	.uleb128 0x1b
	.uleb128 0x1f
	.uleb128 0x11
	.uleb128 0x1
	.uleb128 0x12
	.uleb128 0x7
	.uleb128 0x10
	.uleb128 0x17
	.byte	0
	.byte	0
	.uleb128 0xe
	.uleb128 0xd
	.byte	0
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x38
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0xf
	.uleb128 0x24
	.byte	0
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x3e
	.uleb128 0xb
	.uleb128 0x3
	.uleb128 0x8
	.byte	0
	.byte	0
	.uleb128 0x10
	.uleb128 0x15
	.byte	0x1
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x11
	.uleb128 0x2e
	.byte	0x1
	.uleb128 0x3f
	.uleb128 0x19
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x11
	.uleb128 0x1
	.uleb128 0x12
	.uleb128 0x7
	.uleb128 0x40
	.uleb128 0x18
	.uleb128 0x7a
	.uleb128 0x19
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x12
	.uleb128 0x2e
	.byte	0x1
	.uleb128 0x3f
	.uleb128 0x19
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x27
	.uleb128 0x19
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x11
	.uleb128 0x1
	.uleb128 0x12
	.uleb128 0x7
	.uleb128 0x40
	.uleb128 0x18
	.uleb128 0x7a
	.uleb128 0x19
	.byte	0
	.byte	0
	.uleb128 0x13
	.uleb128 0x5
	.byte	0
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x17
	.uleb128 0x2137
	.uleb128 0x17
	.byte	0
	.byte	0
	.byte	0
	.section	.debug_loclists,"",@progbits
	.long	.Ldebug_loc3-.Ldebug_loc2
.Ldebug_loc2:
	.value	0x5
	.byte	0x8
	.byte	0
	.long	0
.Ldebug_loc0:
.LVUS0:
	.uleb128 0
	.uleb128 .LVU3
	.uleb128 .LVU3
	.uleb128 0
.LLST0:
	.byte	0x4
	.uleb128 .LVL0-.Ltext0
	.uleb128 .LVL1-.Ltext0
	.uleb128 0x1
	.byte	0x55
	.byte	0x4
	.uleb128 .LVL1-.Ltext0
	.uleb128 .LFE0-.Ltext0
	.uleb128 0x4
	.byte	0xa3
	.uleb128 0x1
	.byte	0x55
	.byte	0x9f
	.byte	0
.Ldebug_loc3:
	.section	.debug_aranges,"",@progbits
	.long	0x2c
	.value	0x2
	.long	.Ldebug_info0
	.byte	0x8
	.byte	0
	.value	0
	.value	0
	.quad	.Ltext0
	.quad	.Letext0-.Ltext0
	.quad	0
	.quad	0
	.section	.debug_line,"",@progbits
.Ldebug_line0:
	.section	.debug_str,"MS",@progbits,1
.LASF3:
	.string	"type"
.LASF4:
	.string	"impl"
.LASF16:
	.string	"core"
.LASF9:
	.string	"long unsigned int"
.LASF21:
	.string	"drop"
.LASF6:
	.string	"ufunc_keep_0"
.LASF7:
	.string	"ufunc_keep_1"
.LASF8:
	.string	"ufunc_keep_2"
.LASF10:
	.string	"ufunc_keep_3"
.LASF12:
	.string	"ufunc_keep_4"
.LASF14:
	.string	"ufunc_keep_5"
.LASF15:
	.string	"ufunc_keep_6"
.LASF23:
	.string	"GNU C11 12.2.0"
.LASF11:
	.string	"unsigned char"
.LASF22:
	.string	"match"
.LASF18:
	.string	"crate"
.LASF5:
	.string	"only"
.LASF20:
	.string	"self"
.LASF13:
	.string	"short int"
.LASF17:
	.string	"super"
.LASF19:
	.string	"Some"
.LASF2:
	.string	"Self"
	.section	.debug_line_str,"MS",@progbits,1
.LASF0:
	.string	"names.c"
.LASF1:
	.string	"."
	.ident	"GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
	.section	.note.GNU-stack,"",@progbits
