# arguments.c a893d0e4b9dca48a: gcc -std=gnu11 -O2 -gdwarf-5 -falign-functions=64 -fno-asynchronous-unwind-tables -fno-pic -fcf-protection=none -gno-record-gcc-switches
# SPDX-License-Identifier: MIT OR Apache-2.0
	.file	"arguments.c"
	.text
.Ltext0:
	.cfi_sections	.debug_frame
	.file 0 "." "arguments.c"
	.p2align 6
	.globl	say
	.type	say, @function
say:
.LVL0:
.LFB0:
	.file 1 "arguments.c"
	.loc 1 14 1 view -0
	.cfi_startproc
	.loc 1 15 2 view .LVU1
	.loc 1 15 36 is_stmt 0 view .LVU2
	movsbq	(%rsi), %rax
	.loc 1 15 13 view .LVU3
	movslq	%edi, %rdi
	.loc 1 15 10 view .LVU4
	addq	%rdi, %rax
	addq	%rax, written(%rip)
	.loc 1 16 1 view .LVU5
	ret
	.cfi_endproc
.LFE0:
	.size	say, .-say
	.p2align 6
	.globl	write_bytes
	.type	write_bytes, @function
write_bytes:
.LVL1:
.LFB1:
	.loc 1 19 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 20 2 view .LVU7
	.loc 1 20 21 is_stmt 0 view .LVU8
	movzbl	(%rdi), %edx
	.loc 1 19 1 view .LVU9
	movq	%rsi, %rax
	.loc 1 20 10 view .LVU10
	addq	%rsi, %rdx
	addq	%rdx, written(%rip)
	.loc 1 21 2 is_stmt 1 view .LVU11
	.loc 1 22 1 is_stmt 0 view .LVU12
	ret
	.cfi_endproc
.LFE1:
	.size	write_bytes, .-write_bytes
	.p2align 6
	.globl	fill
	.type	fill, @function
fill:
.LVL2:
.LFB2:
	.loc 1 26 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 27 2 view .LVU14
	.loc 1 27 18 is_stmt 0 view .LVU15
	movb	%sil, (%rdi)
	.loc 1 28 1 view .LVU16
	ret
	.cfi_endproc
.LFE2:
	.size	fill, .-fill
	.p2align 6
	.globl	find_visitor
	.type	find_visitor, @function
find_visitor:
.LVL3:
.LFB3:
	.loc 1 31 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 32 2 view .LVU18
	.loc 1 32 40 is_stmt 0 view .LVU19
	xorl	%eax, %eax
	cmpl	$3, %edi
	jg	.L5
	.loc 1 32 40 discriminator 1 view .LVU20
	movslq	%edi, %rdi
	.loc 1 32 40 discriminator 1 view .LVU21
	leaq	(%rdi,%rdi,4), %rax
	leaq	visitors(,%rax,4), %rax
.LVL4:
.L5:
	.loc 1 33 1 view .LVU22
	ret
	.cfi_endproc
.LFE3:
	.size	find_visitor, .-find_visitor
	.p2align 6
	.globl	remark
	.type	remark, @function
remark:
.LVL5:
.LFB4:
	.loc 1 36 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 37 2 view .LVU24
	.loc 1 37 5 is_stmt 0 view .LVU25
	testq	%rdi, %rdi
	je	.L8
	.loc 1 38 3 is_stmt 1 view .LVU26
	.loc 1 38 17 is_stmt 0 view .LVU27
	movl	%esi, (%rdi)
.L8:
	.loc 1 39 1 view .LVU28
	ret
	.cfi_endproc
.LFE4:
	.size	remark, .-remark
	.p2align 6
	.globl	settle
	.type	settle, @function
settle:
.LFB5:
	.loc 1 42 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 43 2 view .LVU30
	.loc 1 43 10 is_stmt 0 view .LVU31
	movq	$0, written(%rip)
	.loc 1 44 1 view .LVU32
	ret
	.cfi_endproc
.LFE5:
	.size	settle, .-settle
	.local	written
	.comm	written,8,8
	.local	visitors
	.comm	visitors,80,32
.Letext0:
	.section	.debug_info,"",@progbits
.Ldebug_info0:
	.long	0x204
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
	.uleb128 0xb
	.long	.LASF22
	.byte	0x14
	.byte	0x1
	.byte	0x4
	.byte	0x8
	.long	0x54
	.uleb128 0x4
	.long	.LASF2
	.byte	0x5
	.byte	0x6
	.long	0x54
	.byte	0
	.uleb128 0x4
	.long	.LASF3
	.byte	0x6
	.byte	0x7
	.long	0x5b
	.byte	0x4
	.byte	0
	.uleb128 0xc
	.byte	0x4
	.byte	0x5
	.string	"int"
	.uleb128 0x5
	.long	0x72
	.long	0x6b
	.uleb128 0x6
	.long	0x6b
	.byte	0xf
	.byte	0
	.uleb128 0x3
	.byte	0x8
	.byte	0x7
	.long	.LASF4
	.uleb128 0x3
	.byte	0x1
	.byte	0x6
	.long	.LASF5
	.uleb128 0xd
	.long	0x72
	.uleb128 0x5
	.long	0x2e
	.long	0x8e
	.uleb128 0x6
	.long	0x6b
	.byte	0x3
	.byte	0
	.uleb128 0x7
	.long	.LASF6
	.byte	0x9
	.byte	0x17
	.long	0x7e
	.uleb128 0x9
	.byte	0x3
	.quad	visitors
	.uleb128 0x7
	.long	.LASF7
	.byte	0xa
	.byte	0x16
	.long	0x6b
	.uleb128 0x9
	.byte	0x3
	.quad	written
	.uleb128 0xe
	.long	.LASF23
	.byte	0x1
	.byte	0x29
	.byte	0x6
	.quad	.LFB5
	.quad	.LFE5-.LFB5
	.uleb128 0x1
	.byte	0x9c
	.uleb128 0x8
	.long	.LASF10
	.byte	0x23
	.quad	.LFB4
	.quad	.LFE4-.LFB4
	.uleb128 0x1
	.byte	0x9c
	.long	0x109
	.uleb128 0x1
	.long	.LASF8
	.byte	0x23
	.byte	0x1d
	.long	0x109
	.uleb128 0x1
	.byte	0x55
	.uleb128 0x1
	.long	.LASF9
	.byte	0x23
	.byte	0x28
	.long	0x54
	.uleb128 0x1
	.byte	0x54
	.byte	0
	.uleb128 0x2
	.long	0x2e
	.uleb128 0x9
	.long	.LASF15
	.byte	0x1e
	.byte	0x11
	.long	0x109
	.quad	.LFB3
	.quad	.LFE3-.LFB3
	.uleb128 0x1
	.byte	0x9c
	.long	0x144
	.uleb128 0xf
	.long	.LASF2
	.byte	0x1
	.byte	0x1e
	.byte	0x22
	.long	0x54
	.long	.LLST0
	.long	.LVUS0
	.byte	0
	.uleb128 0x8
	.long	.LASF11
	.byte	0x19
	.quad	.LFB2
	.quad	.LFE2-.LFB2
	.uleb128 0x1
	.byte	0x9c
	.long	0x17b
	.uleb128 0x1
	.long	.LASF12
	.byte	0x19
	.byte	0x1a
	.long	0x17b
	.uleb128 0x1
	.byte	0x55
	.uleb128 0x1
	.long	.LASF13
	.byte	0x19
	.byte	0x2a
	.long	0x54
	.uleb128 0x1
	.byte	0x54
	.byte	0
	.uleb128 0x2
	.long	0x180
	.uleb128 0x3
	.byte	0x1
	.byte	0x8
	.long	.LASF14
	.uleb128 0x9
	.long	.LASF16
	.byte	0x12
	.byte	0x5
	.long	0x54
	.quad	.LFB1
	.quad	.LFE1-.LFB1
	.uleb128 0x1
	.byte	0x9c
	.long	0x1c3
	.uleb128 0x1
	.long	.LASF17
	.byte	0x12
	.byte	0x1d
	.long	0x1c3
	.uleb128 0x1
	.byte	0x55
	.uleb128 0x1
	.long	.LASF18
	.byte	0x12
	.byte	0x32
	.long	0x6b
	.uleb128 0x1
	.byte	0x54
	.byte	0
	.uleb128 0x2
	.long	0x1c8
	.uleb128 0x10
	.uleb128 0x11
	.string	"say"
	.byte	0x1
	.byte	0xd
	.byte	0x6
	.quad	.LFB0
	.quad	.LFE0-.LFB0
	.uleb128 0x1
	.byte	0x9c
	.long	0x202
	.uleb128 0x1
	.long	.LASF19
	.byte	0xd
	.byte	0xe
	.long	0x54
	.uleb128 0x1
	.byte	0x55
	.uleb128 0x1
	.long	.LASF20
	.byte	0xd
	.byte	0x21
	.long	0x202
	.uleb128 0x1
	.byte	0x54
	.byte	0
	.uleb128 0x2
	.long	0x79
	.byte	0
	.section	.debug_abbrev,"",@progbits
.Ldebug_abbrev0:
	.uleb128 0x1
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
	.uleb128 0x2
	.uleb128 0xf
	.byte	0
	.uleb128 0xb
	.uleb128 0x21
	.sleb128 8
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x3
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
	.uleb128 0x4
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
	.uleb128 0x5
	.uleb128 0x1
	.byte	0x1
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x6
	.uleb128 0x21
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2f
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x7
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
	.uleb128 0x21
	.sleb128 6
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
	.uleb128 0x9
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
	.uleb128 0x13
	.byte	0x1
	.uleb128 0x3
	.uleb128 0xe
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
	.uleb128 0xc
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
	.uleb128 0xd
	.uleb128 0x26
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0xe
	.uleb128 0x2e
	.byte	0
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
	.byte	0
	.byte	0
	.uleb128 0xf
	.uleb128 0x5
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
	.uleb128 0x2
	.uleb128 0x17
	.uleb128 0x2137
	.uleb128 0x17
	.byte	0
	.byte	0
	.uleb128 0x10
	.uleb128 0x26
	.byte	0
	.byte	0
	.byte	0
	.uleb128 0x11
	.uleb128 0x2e
	.byte	0x1
	.uleb128 0x3f
	.uleb128 0x19
	.uleb128 0x3
	.uleb128 0x8
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
	.uleb128 .LVU22
	.uleb128 .LVU22
	.uleb128 0
.LLST0:
	.byte	0x4
	.uleb128 .LVL3-.Ltext0
	.uleb128 .LVL4-.Ltext0
	.uleb128 0x1
	.byte	0x55
	.byte	0x4
	.uleb128 .LVL4-.Ltext0
	.uleb128 .LFE3-.Ltext0
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
.LASF7:
	.string	"written"
.LASF18:
	.string	"count"
.LASF14:
	.string	"unsigned char"
.LASF8:
	.string	"about"
.LASF15:
	.string	"find_visitor"
.LASF10:
	.string	"remark"
.LASF19:
	.string	"level"
.LASF4:
	.string	"long unsigned int"
.LASF3:
	.string	"name"
.LASF2:
	.string	"number"
.LASF16:
	.string	"write_bytes"
.LASF21:
	.string	"GNU C11 12.2.0"
.LASF9:
	.string	"kind"
.LASF5:
	.string	"char"
.LASF12:
	.string	"rdonly_buf"
.LASF13:
	.string	"rdonly_buf_size"
.LASF11:
	.string	"fill"
.LASF23:
	.string	"settle"
.LASF20:
	.string	"message__ign"
.LASF17:
	.string	"bytes"
.LASF22:
	.string	"visitor"
.LASF6:
	.string	"visitors"
	.section	.debug_line_str,"MS",@progbits,1
.LASF1:
	.string	"."
.LASF0:
	.string	"arguments.c"
	.ident	"GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
	.section	.note.GNU-stack,"",@progbits
