# pair.c 6b37c999ef32db9b: gcc -std=gnu11 -O2 -gdwarf-5 -falign-functions=64 -fno-asynchronous-unwind-tables -fno-pic -fcf-protection=none -gno-record-gcc-switches
# SPDX-License-Identifier: MIT OR Apache-2.0
	.file	"pair.c"
	.text
.Ltext0:
	.cfi_sections	.debug_frame
	.file 0 "." "pair.c"
	.p2align 6
	.globl	scene_create
	.type	scene_create, @function
scene_create:
.LVL0:
.LFB0:
	.file 1 "pair.c"
	.loc 1 28 1 view -0
	.cfi_startproc
	.loc 1 29 2 view .LVU1
	.loc 1 29 32 is_stmt 0 view .LVU2
	movl	used(%rip), %edx
	leal	1(%rdx), %ecx
	andl	$3, %edx
	leaq	0(,%rdx,8), %rax
	movl	%ecx, used(%rip)
	subq	%rdx, %rax
	salq	$3, %rax
.LVL1:
	.loc 1 31 2 is_stmt 1 view .LVU3
	.loc 1 32 24 is_stmt 0 view .LVU4
	leaq	scenes(%rax), %rdx
.LVL2:
	.loc 1 31 8 view .LVU5
	movl	%ecx, scenes(%rax)
	.loc 1 32 2 is_stmt 1 view .LVU6
	.loc 1 32 24 is_stmt 0 view .LVU7
	movl	%edi, scenes+16(%rax)
	.loc 1 33 2 is_stmt 1 view .LVU8
	.loc 1 33 24 is_stmt 0 view .LVU9
	movl	%esi, scenes+20(%rax)
	.loc 1 34 2 is_stmt 1 view .LVU10
	.loc 1 34 13 is_stmt 0 view .LVU11
	addq	$scenes+8, %rax
	movq	%rax, 32(%rdx)
	.loc 1 35 2 is_stmt 1 view .LVU12
	.loc 1 36 1 is_stmt 0 view .LVU13
	movq	%rdx, %rax
	ret
	.cfi_endproc
.LFE0:
	.size	scene_create, .-scene_create
	.p2align 6
	.globl	scene_destroy
	.type	scene_destroy, @function
scene_destroy:
.LVL3:
.LFB1:
	.loc 1 39 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 40 2 view .LVU15
	.loc 1 40 8 is_stmt 0 view .LVU16
	movl	$0, (%rdi)
	.loc 1 41 1 view .LVU17
	ret
	.cfi_endproc
.LFE1:
	.size	scene_destroy, .-scene_destroy
	.local	used
	.comm	used,4,4
	.local	scenes
	.comm	scenes,224,32
.Letext0:
	.section	.debug_info,"",@progbits
.Ldebug_info0:
	.long	0x1c1
	.value	0x5
	.byte	0x1
	.byte	0x8
	.long	.Ldebug_abbrev0
	.uleb128 0xa
	.long	.LASF21
	.byte	0x1d
	.long	.LASF0
	.long	.LASF1
	.quad	.Ltext0
	.quad	.Letext0-.Ltext0
	.long	.Ldebug_line0
	.uleb128 0x5
	.long	.LASF2
	.byte	0x8
	.byte	0x4
	.long	0x4e
	.uleb128 0x3
	.string	"x"
	.byte	0x5
	.byte	0x6
	.long	0x4e
	.byte	0
	.uleb128 0x3
	.string	"y"
	.byte	0x6
	.byte	0x6
	.long	0x4e
	.byte	0x4
	.byte	0
	.uleb128 0xb
	.byte	0x4
	.byte	0x5
	.string	"int"
	.uleb128 0xc
	.string	"box"
	.byte	0x18
	.byte	0x1
	.byte	0x9
	.byte	0x8
	.long	0x7b
	.uleb128 0x1
	.long	.LASF3
	.byte	0xa
	.byte	0xf
	.long	0x7b
	.byte	0
	.uleb128 0x1
	.long	.LASF4
	.byte	0xb
	.byte	0xe
	.long	0x92
	.byte	0x10
	.byte	0
	.uleb128 0x6
	.long	0x2e
	.long	0x8b
	.uleb128 0x7
	.long	0x8b
	.byte	0x1
	.byte	0
	.uleb128 0x2
	.byte	0x8
	.byte	0x7
	.long	.LASF5
	.uleb128 0x4
	.long	0x9e
	.uleb128 0x2
	.byte	0x1
	.byte	0x6
	.long	.LASF6
	.uleb128 0xd
	.long	0x97
	.uleb128 0xe
	.byte	0x10
	.byte	0x1
	.byte	0x12
	.byte	0x2
	.long	0xc5
	.uleb128 0x1
	.long	.LASF7
	.byte	0x13
	.byte	0x8
	.long	0xc5
	.byte	0
	.uleb128 0x1
	.long	.LASF8
	.byte	0x14
	.byte	0x8
	.long	0xc5
	.byte	0x8
	.byte	0
	.uleb128 0x2
	.byte	0x8
	.byte	0x5
	.long	.LASF9
	.uleb128 0x5
	.long	.LASF10
	.byte	0x38
	.byte	0xe
	.long	0x107
	.uleb128 0x3
	.string	"id"
	.byte	0xf
	.byte	0xf
	.long	0x107
	.byte	0
	.uleb128 0x1
	.long	.LASF11
	.byte	0x10
	.byte	0xd
	.long	0x55
	.byte	0x8
	.uleb128 0x1
	.long	.LASF12
	.byte	0x11
	.byte	0xe
	.long	0x10e
	.byte	0x20
	.uleb128 0x1
	.long	.LASF13
	.byte	0x15
	.byte	0x4
	.long	0xa3
	.byte	0x28
	.byte	0
	.uleb128 0x2
	.byte	0x4
	.byte	0x7
	.long	.LASF14
	.uleb128 0x4
	.long	0x55
	.uleb128 0x6
	.long	0xcc
	.long	0x123
	.uleb128 0x7
	.long	0x8b
	.byte	0x3
	.byte	0
	.uleb128 0x8
	.long	.LASF15
	.byte	0x18
	.long	0x113
	.uleb128 0x9
	.byte	0x3
	.quad	scenes
	.uleb128 0x8
	.long	.LASF16
	.byte	0x19
	.long	0x107
	.uleb128 0x9
	.byte	0x3
	.quad	used
	.uleb128 0xf
	.long	.LASF17
	.byte	0x1
	.byte	0x26
	.byte	0x6
	.quad	.LFB1
	.quad	.LFE1-.LFB1
	.uleb128 0x1
	.byte	0x9c
	.long	0x176
	.uleb128 0x10
	.string	"s"
	.byte	0x1
	.byte	0x26
	.byte	0x22
	.long	0x176
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x4
	.long	0xcc
	.uleb128 0x11
	.long	.LASF18
	.byte	0x1
	.byte	0x1b
	.byte	0xf
	.long	0x176
	.quad	.LFB0
	.quad	.LFE0-.LFB0
	.uleb128 0x1
	.byte	0x9c
	.uleb128 0x9
	.long	.LASF19
	.byte	0x20
	.long	0x4e
	.uleb128 0x1
	.byte	0x55
	.uleb128 0x9
	.long	.LASF20
	.byte	0x2b
	.long	0x4e
	.uleb128 0x1
	.byte	0x54
	.uleb128 0x12
	.string	"s"
	.byte	0x1
	.byte	0x1d
	.byte	0x10
	.long	0x176
	.long	.LLST0
	.long	.LVUS0
	.byte	0
	.byte	0
	.section	.debug_abbrev,"",@progbits
.Ldebug_abbrev0:
	.uleb128 0x1
	.uleb128 0xd
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
	.uleb128 0x38
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x2
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
	.uleb128 0x3
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
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x38
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x4
	.uleb128 0xf
	.byte	0
	.uleb128 0xb
	.uleb128 0x21
	.sleb128 8
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x5
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
	.uleb128 0x6
	.uleb128 0x1
	.byte	0x1
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x7
	.uleb128 0x21
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2f
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x8
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
	.uleb128 0x21
	.sleb128 21
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0x9
	.uleb128 0x5
	.byte	0
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0x21
	.sleb128 27
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0xa
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
	.uleb128 0xb
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
	.uleb128 0xc
	.uleb128 0x13
	.byte	0x1
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xd
	.uleb128 0x26
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xe
	.uleb128 0x13
	.byte	0x1
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x3a
	.uleb128 0xb
	.uleb128 0x3b
	.uleb128 0xb
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xf
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
	.uleb128 0x10
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
	.uleb128 0x18
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
	.uleb128 0x12
	.uleb128 0x34
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
	.uleb128 .LVU3
	.uleb128 .LVU5
	.uleb128 .LVU5
	.uleb128 0
.LLST0:
	.byte	0x4
	.uleb128 .LVL1-.Ltext0
	.uleb128 .LVL2-.Ltext0
	.uleb128 0xd
	.byte	0x70
	.sleb128 0
	.byte	0x3
	.quad	scenes
	.byte	0x22
	.byte	0x9f
	.byte	0x4
	.uleb128 .LVL2-.Ltext0
	.uleb128 .LFE0-.Ltext0
	.uleb128 0x1
	.byte	0x51
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
.LASF15:
	.string	"scenes"
.LASF11:
	.string	"outer"
.LASF5:
	.string	"long unsigned int"
.LASF10:
	.string	"scene"
.LASF13:
	.string	"counters"
.LASF3:
	.string	"corners"
.LASF21:
	.string	"GNU C11 12.2.0"
.LASF6:
	.string	"char"
.LASF20:
	.string	"height"
.LASF9:
	.string	"long int"
.LASF19:
	.string	"width"
.LASF2:
	.string	"point"
.LASF7:
	.string	"hits"
.LASF18:
	.string	"scene_create"
.LASF17:
	.string	"scene_destroy"
.LASF8:
	.string	"misses"
.LASF14:
	.string	"unsigned int"
.LASF4:
	.string	"label"
.LASF16:
	.string	"used"
.LASF12:
	.string	"inner"
	.section	.debug_line_str,"MS",@progbits,1
.LASF0:
	.string	"pair.c"
.LASF1:
	.string	"."
	.ident	"GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
	.section	.note.GNU-stack,"",@progbits
