# grants.c 6547dc87ccbd4b7e: gcc -std=gnu11 -O2 -gdwarf-5 -falign-functions=64 -fno-asynchronous-unwind-tables -fno-pic -fcf-protection=none -gno-record-gcc-switches
# SPDX-License-Identifier: MIT OR Apache-2.0
	.file	"grants.c"
	.text
.Ltext0:
	.cfi_sections	.debug_frame
	.file 0 "." "grants.c"
	.p2align 6
	.globl	heap_buffer
	.type	heap_buffer, @function
heap_buffer:
.LFB0:
	.file 1 "grants.c"
	.loc 1 38 1 view -0
	.cfi_startproc
	.loc 1 39 2 view .LVU1
	.loc 1 39 20 is_stmt 0 view .LVU2
	movl	taken(%rip), %eax
	leal	1(%rax), %edx
	.loc 1 39 9 view .LVU3
	andl	$3, %eax
	leaq	(%rax,%rax,4), %rax
	.loc 1 39 20 view .LVU4
	movl	%edx, taken(%rip)
	.loc 1 39 9 view .LVU5
	leaq	heap(,%rax,8), %rax
	.loc 1 40 1 view .LVU6
	ret
	.cfi_endproc
.LFE0:
	.size	heap_buffer, .-heap_buffer
	.p2align 6
	.globl	drop_heap_buffer
	.type	drop_heap_buffer, @function
drop_heap_buffer:
.LVL0:
.LFB1:
	.loc 1 43 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 44 2 view .LVU8
	.loc 1 44 11 is_stmt 0 view .LVU9
	movb	$0, 21(%rdi)
	.loc 1 45 1 view .LVU10
	ret
	.cfi_endproc
.LFE1:
	.size	drop_heap_buffer, .-drop_heap_buffer
	.p2align 6
	.globl	checkout_buffer
	.type	checkout_buffer, @function
checkout_buffer:
.LVL1:
.LFB2:
	.loc 1 48 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 49 2 view .LVU12
	.loc 1 49 32 is_stmt 0 view .LVU13
	xorl	%eax, %eax
	cmpl	$3, %edi
	ja	.L4
	.loc 1 49 32 discriminator 1 view .LVU14
	movl	%edi, %edi
	.loc 1 49 32 discriminator 1 view .LVU15
	leaq	(%rdi,%rdi,4), %rax
	leaq	pool(,%rax,8), %rax
.LVL2:
.L4:
	.loc 1 50 1 view .LVU16
	ret
	.cfi_endproc
.LFE2:
	.size	checkout_buffer, .-checkout_buffer
	.p2align 6
	.globl	hand_back_buffer
	.type	hand_back_buffer, @function
hand_back_buffer:
.LVL3:
.LFB3:
	.loc 1 53 1 is_stmt 1 view -0
	.cfi_startproc
	.loc 1 54 2 view .LVU18
	.loc 1 54 10 is_stmt 0 view .LVU19
	movq	$item, 32(%rdi)
	.loc 1 55 1 view .LVU20
	ret
	.cfi_endproc
.LFE3:
	.size	hand_back_buffer, .-hand_back_buffer
	.local	taken
	.comm	taken,4,4
	.local	pool
	.comm	pool,160,32
	.local	heap
	.comm	heap,160,32
	.local	item
	.comm	item,64,32
.Letext0:
	.section	.debug_info,"",@progbits
.Ldebug_info0:
	.long	0x2c8
	.value	0x5
	.byte	0x1
	.byte	0x8
	.long	.Ldebug_abbrev0
	.uleb128 0xc
	.long	.LASF29
	.byte	0x1d
	.long	.LASF0
	.long	.LASF1
	.quad	.Ltext0
	.quad	.Letext0-.Ltext0
	.long	.Ldebug_line0
	.uleb128 0xd
	.long	.LASF14
	.byte	0x5
	.byte	0x4
	.long	0x4d
	.byte	0x1
	.byte	0x7
	.byte	0x6
	.long	0x4d
	.uleb128 0xe
	.string	"RED"
	.byte	0
	.uleb128 0xf
	.long	.LASF2
	.sleb128 -1
	.byte	0
	.uleb128 0x10
	.byte	0x4
	.byte	0x5
	.string	"int"
	.uleb128 0x7
	.long	.LASF12
	.byte	0x8
	.byte	0x9
	.long	0x72
	.uleb128 0x8
	.string	"x"
	.byte	0x6
	.long	0x4d
	.byte	0
	.uleb128 0x8
	.string	"y"
	.byte	0x9
	.long	0x4d
	.byte	0x4
	.byte	0
	.uleb128 0x11
	.byte	0x40
	.byte	0x1
	.byte	0xd
	.byte	0x9
	.long	0xa0
	.uleb128 0x2
	.long	.LASF3
	.byte	0xe
	.byte	0xe
	.long	0xa0
	.byte	0
	.uleb128 0x2
	.long	.LASF4
	.byte	0xf
	.byte	0x10
	.long	0xb1
	.byte	0x8
	.uleb128 0x2
	.long	.LASF5
	.byte	0x10
	.byte	0xc
	.long	0xd5
	.byte	0x18
	.byte	0
	.uleb128 0x6
	.long	0xac
	.uleb128 0x1
	.byte	0x1
	.byte	0x6
	.long	.LASF6
	.uleb128 0x12
	.long	0xa5
	.uleb128 0x4
	.long	0xce
	.long	0xc7
	.uleb128 0x3
	.long	0xc7
	.byte	0x2
	.uleb128 0x3
	.long	0xc7
	.byte	0x3
	.byte	0
	.uleb128 0x1
	.byte	0x8
	.byte	0x7
	.long	.LASF7
	.uleb128 0x1
	.byte	0x1
	.byte	0x8
	.long	.LASF8
	.uleb128 0x4
	.long	0xe5
	.long	0xe5
	.uleb128 0x3
	.long	0xc7
	.byte	0x4
	.byte	0
	.uleb128 0x1
	.byte	0x8
	.byte	0x5
	.long	.LASF9
	.uleb128 0x13
	.long	.LASF30
	.byte	0x1
	.byte	0x11
	.byte	0x3
	.long	0x72
	.uleb128 0x14
	.byte	0x4
	.byte	0x1
	.byte	0x1a
	.byte	0x2
	.long	0x11a
	.uleb128 0x15
	.string	"raw"
	.byte	0x1
	.byte	0x1b
	.byte	0x10
	.long	0x11a
	.uleb128 0x16
	.long	.LASF10
	.byte	0x1
	.byte	0x1c
	.byte	0x8
	.long	0x121
	.byte	0
	.uleb128 0x1
	.byte	0x4
	.byte	0x7
	.long	.LASF11
	.uleb128 0x4
	.long	0xa5
	.long	0x131
	.uleb128 0x3
	.long	0xc7
	.byte	0x3
	.byte	0
	.uleb128 0x7
	.long	.LASF13
	.byte	0x28
	.byte	0x13
	.long	0x199
	.uleb128 0x2
	.long	.LASF12
	.byte	0x14
	.byte	0x12
	.long	0x54
	.byte	0
	.uleb128 0x2
	.long	.LASF14
	.byte	0x15
	.byte	0xe
	.long	0x2e
	.byte	0x8
	.uleb128 0x9
	.long	.LASF15
	.byte	0x16
	.byte	0x8
	.long	0x199
	.byte	0x1
	.byte	0x60
	.uleb128 0x9
	.long	.LASF16
	.byte	0x17
	.byte	0x15
	.long	0x1a0
	.byte	0x23
	.byte	0x80
	.uleb128 0x2
	.long	.LASF17
	.byte	0x18
	.byte	0xe
	.long	0x1a7
	.byte	0x15
	.uleb128 0x2
	.long	.LASF18
	.byte	0x19
	.byte	0x1a
	.long	0x1b5
	.byte	0x16
	.uleb128 0x17
	.long	0xf8
	.byte	0x18
	.uleb128 0x2
	.long	.LASF19
	.byte	0x1e
	.byte	0xa
	.long	0x1ba
	.byte	0x20
	.byte	0
	.uleb128 0x1
	.byte	0x1
	.byte	0x2
	.long	.LASF20
	.uleb128 0x1
	.byte	0x8
	.byte	0x7
	.long	.LASF21
	.uleb128 0x1
	.byte	0x1
	.byte	0x6
	.long	.LASF22
	.uleb128 0x1
	.byte	0x2
	.byte	0x7
	.long	.LASF23
	.uleb128 0x18
	.long	0x1ae
	.uleb128 0x6
	.long	0xec
	.uleb128 0x5
	.long	.LASF19
	.byte	0x21
	.byte	0xf
	.long	0xec
	.uleb128 0x9
	.byte	0x3
	.quad	item
	.uleb128 0x4
	.long	0x131
	.long	0x1e4
	.uleb128 0x3
	.long	0xc7
	.byte	0x3
	.byte	0
	.uleb128 0x5
	.long	.LASF24
	.byte	0x22
	.byte	0x16
	.long	0x1d4
	.uleb128 0x9
	.byte	0x3
	.quad	heap
	.uleb128 0x5
	.long	.LASF25
	.byte	0x22
	.byte	0x1f
	.long	0x1d4
	.uleb128 0x9
	.byte	0x3
	.quad	pool
	.uleb128 0x5
	.long	.LASF26
	.byte	0x23
	.byte	0xc
	.long	0x4d
	.uleb128 0x9
	.byte	0x3
	.quad	taken
	.uleb128 0xa
	.long	.LASF27
	.byte	0x34
	.quad	.LFB3
	.quad	.LFE3-.LFB3
	.uleb128 0x1
	.byte	0x9c
	.long	0x24a
	.uleb128 0xb
	.string	"b"
	.byte	0x34
	.long	0x24a
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x6
	.long	0x131
	.uleb128 0x19
	.long	.LASF31
	.byte	0x1
	.byte	0x2f
	.byte	0x10
	.long	0x24a
	.quad	.LFB2
	.quad	.LFE2-.LFB2
	.uleb128 0x1
	.byte	0x9c
	.long	0x286
	.uleb128 0x1a
	.long	.LASF32
	.byte	0x1
	.byte	0x2f
	.byte	0x2d
	.long	0x11a
	.long	.LLST0
	.long	.LVUS0
	.byte	0
	.uleb128 0xa
	.long	.LASF28
	.byte	0x2a
	.quad	.LFB1
	.quad	.LFE1-.LFB1
	.uleb128 0x1
	.byte	0x9c
	.long	0x2ad
	.uleb128 0xb
	.string	"b"
	.byte	0x2a
	.long	0x24a
	.uleb128 0x1
	.byte	0x55
	.byte	0
	.uleb128 0x1b
	.long	.LASF33
	.byte	0x1
	.byte	0x25
	.byte	0x10
	.long	0x24a
	.quad	.LFB0
	.quad	.LFE0-.LFB0
	.uleb128 0x1
	.byte	0x9c
	.byte	0
	.section	.debug_abbrev,"",@progbits
.Ldebug_abbrev0:
	.uleb128 0x1
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
	.uleb128 0x2
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
	.uleb128 0x3
	.uleb128 0x21
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2f
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x4
	.uleb128 0x1
	.byte	0x1
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x5
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
	.uleb128 0x6
	.uleb128 0xf
	.byte	0
	.uleb128 0xb
	.uleb128 0x21
	.sleb128 8
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x7
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
	.uleb128 0x8
	.uleb128 0xd
	.byte	0
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x3a
	.uleb128 0x21
	.sleb128 1
	.uleb128 0x3b
	.uleb128 0x21
	.sleb128 10
	.uleb128 0x39
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x38
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x9
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
	.uleb128 0xd
	.uleb128 0xb
	.uleb128 0x6b
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0xa
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
	.uleb128 0xb
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
	.uleb128 0x21
	.sleb128 38
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x2
	.uleb128 0x18
	.byte	0
	.byte	0
	.uleb128 0xc
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
	.uleb128 0xd
	.uleb128 0x4
	.byte	0x1
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x3e
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0xb
	.uleb128 0x49
	.uleb128 0x13
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
	.uleb128 0xe
	.uleb128 0x28
	.byte	0
	.uleb128 0x3
	.uleb128 0x8
	.uleb128 0x1c
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0xf
	.uleb128 0x28
	.byte	0
	.uleb128 0x3
	.uleb128 0xe
	.uleb128 0x1c
	.uleb128 0xd
	.byte	0
	.byte	0
	.uleb128 0x10
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
	.uleb128 0x11
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
	.uleb128 0x12
	.uleb128 0x26
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x13
	.uleb128 0x16
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
	.byte	0
	.byte	0
	.uleb128 0x14
	.uleb128 0x17
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
	.uleb128 0x15
	.uleb128 0xd
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
	.byte	0
	.byte	0
	.uleb128 0x16
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
	.byte	0
	.byte	0
	.uleb128 0x17
	.uleb128 0xd
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.uleb128 0x38
	.uleb128 0xb
	.byte	0
	.byte	0
	.uleb128 0x18
	.uleb128 0x35
	.byte	0
	.uleb128 0x49
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x19
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
	.uleb128 0x1
	.uleb128 0x13
	.byte	0
	.byte	0
	.uleb128 0x1a
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
	.uleb128 0x1b
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
	.uleb128 .LVU16
	.uleb128 .LVU16
	.uleb128 0
.LLST0:
	.byte	0x4
	.uleb128 .LVL1-.Ltext0
	.uleb128 .LVL2-.Ltext0
	.uleb128 0x1
	.byte	0x55
	.byte	0x4
	.uleb128 .LVL2-.Ltext0
	.uleb128 .LFE2-.Ltext0
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
.LASF9:
	.string	"long long int"
.LASF14:
	.string	"colour"
.LASF28:
	.string	"drop_heap_buffer"
.LASF30:
	.string	"item_t"
.LASF19:
	.string	"item"
.LASF5:
	.string	"numbers"
.LASF31:
	.string	"checkout_buffer"
.LASF7:
	.string	"long unsigned int"
.LASF3:
	.string	"text"
.LASF21:
	.string	"long long unsigned int"
.LASF26:
	.string	"taken"
.LASF27:
	.string	"hand_back_buffer"
.LASF18:
	.string	"port"
.LASF24:
	.string	"heap"
.LASF29:
	.string	"GNU C11 12.2.0"
.LASF16:
	.string	"mask"
.LASF33:
	.string	"heap_buffer"
.LASF8:
	.string	"unsigned char"
.LASF6:
	.string	"char"
.LASF10:
	.string	"letters"
.LASF12:
	.string	"position"
.LASF17:
	.string	"level"
.LASF20:
	.string	"_Bool"
.LASF23:
	.string	"short unsigned int"
.LASF22:
	.string	"signed char"
.LASF15:
	.string	"full"
.LASF4:
	.string	"grid"
.LASF11:
	.string	"unsigned int"
.LASF13:
	.string	"buffer"
.LASF25:
	.string	"pool"
.LASF2:
	.string	"GREEN"
.LASF32:
	.string	"slot"
	.section	.debug_line_str,"MS",@progbits,1
.LASF0:
	.string	"grants.c"
.LASF1:
	.string	"."
	.ident	"GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
	.section	.note.GNU-stack,"",@progbits
