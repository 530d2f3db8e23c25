# families.c 4ed23a63c7ee6f89: clang -std=gnu11 -O2 -gdwarf-5 -falign-functions=64 -fno-asynchronous-unwind-tables -fno-pic -fcf-protection=none -fno-addrsig
# SPDX-License-Identifier: MIT OR Apache-2.0
	.text
	.file	"families.c"
                                        # Start of file scope inline assembly
	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp0-.Ltmp1
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp1:
	.ascii	"role=acquire"
	.byte	0
	.ascii	"fn=heap_buffer"
	.byte	0
	.ascii	"family=heap"
	.byte	0
.Ltmp0:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp2-.Ltmp3
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp3:
	.ascii	"role=release"
	.byte	0
	.ascii	"fn=drop_heap_buffer"
	.byte	0
	.ascii	"family=heap"
	.byte	0
.Ltmp2:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp4-.Ltmp5
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp5:
	.ascii	"role=acquire"
	.byte	0
	.ascii	"fn=checkout_buffer"
	.byte	0
	.ascii	"family=pool"
	.byte	0
.Ltmp4:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp6-.Ltmp7
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp7:
	.ascii	"role=release"
	.byte	0
	.ascii	"fn=hand_back_buffer"
	.byte	0
	.ascii	"family=pool"
	.byte	0
.Ltmp6:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp8-.Ltmp9
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp9:
	.ascii	"role=plain"
	.byte	0
	.ascii	"fn=buffer_tag"
	.byte	0
.Ltmp8:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp10-.Ltmp11
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp11:
	.ascii	"role=plain"
	.byte	0
	.ascii	"fn=set_buffer_tag"
	.byte	0
.Ltmp10:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp12-.Ltmp13
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp13:
	.ascii	"role=plain"
	.byte	0
	.ascii	"fn=buffer_is_free"
	.byte	0
.Ltmp12:
	.p2align	2
	.text

	.section	.note.ufunc,"a",@note
	.p2align	2
	.long	6
	.long	.Ltmp14-.Ltmp15
	.long	1
	.ascii	"ufunc"
	.byte	0
	.p2align	2
.Ltmp15:
	.ascii	"role=plain"
	.byte	0
	.ascii	"fn=peek_buffer"
	.byte	0
.Ltmp14:
	.p2align	2
	.text


                                        # End of file scope inline assembly
	.file	0 "." "families.c" md5 0x415ac56b25f193da0a78305161228484
	.globl	heap_buffer                     # -- Begin function heap_buffer
	.p2align	6, 0x90
	.type	heap_buffer,@function
heap_buffer:                            # @heap_buffer
.Lfunc_begin0:
	.loc	0 20 0                          # families.c:20:0
	.cfi_sections .debug_frame
	.cfi_startproc
# %bb.0:
	movl	taken(%rip), %eax
.Ltmp16:
	.loc	0 21 20 prologue_end            # families.c:21:20
	leal	1(%rax), %ecx
	movl	%ecx, taken(%rip)
	.loc	0 21 23 is_stmt 0               # families.c:21:23
	andl	$3, %eax
	.loc	0 21 10                         # families.c:21:10
	leaq	(%rax,%rax,2), %rax
	leaq	heap(,%rax,8), %rax
	.loc	0 21 2                          # families.c:21:2
	retq
.Ltmp17:
.Lfunc_end0:
	.size	heap_buffer, .Lfunc_end0-heap_buffer
	.cfi_endproc
                                        # -- End function
	.globl	drop_heap_buffer                # -- Begin function drop_heap_buffer
	.p2align	6, 0x90
	.type	drop_heap_buffer,@function
drop_heap_buffer:                       # @drop_heap_buffer
.Lfunc_begin1:
	.loc	0 25 0 is_stmt 1                # families.c:25:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: drop_heap_buffer:b <- $rdi
	.loc	0 26 8 prologue_end             # families.c:26:8
	movl	$0, (%rdi)
	.loc	0 27 1                          # families.c:27:1
	retq
.Ltmp18:
.Lfunc_end1:
	.size	drop_heap_buffer, .Lfunc_end1-drop_heap_buffer
	.cfi_endproc
                                        # -- End function
	.globl	checkout_buffer                 # -- Begin function checkout_buffer
	.p2align	6, 0x90
	.type	checkout_buffer,@function
checkout_buffer:                        # @checkout_buffer
.Lfunc_begin2:
	.loc	0 33 0                          # families.c:33:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: checkout_buffer:slot <- $edi
	xorl	%eax, %eax
.Ltmp19:
	.loc	0 34 14 prologue_end            # families.c:34:14
	cmpl	$4, %edi
	.loc	0 34 9 is_stmt 0                # families.c:34:9
	movl	%edi, %ecx
	leaq	(%rcx,%rcx,2), %rcx
	leaq	pool(,%rcx,8), %rcx
	cmovbq	%rcx, %rax
	.loc	0 34 2                          # families.c:34:2
	retq
.Ltmp20:
.Lfunc_end2:
	.size	checkout_buffer, .Lfunc_end2-checkout_buffer
	.cfi_endproc
                                        # -- End function
	.globl	hand_back_buffer                # -- Begin function hand_back_buffer
	.p2align	6, 0x90
	.type	hand_back_buffer,@function
hand_back_buffer:                       # @hand_back_buffer
.Lfunc_begin3:
	.loc	0 38 0 is_stmt 1                # families.c:38:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: hand_back_buffer:b <- $rdi
	.loc	0 39 9 prologue_end             # families.c:39:9
	movl	$0, 4(%rdi)
	.loc	0 40 1                          # families.c:40:1
	retq
.Ltmp21:
.Lfunc_end3:
	.size	hand_back_buffer, .Lfunc_end3-hand_back_buffer
	.cfi_endproc
                                        # -- End function
	.globl	buffer_tag                      # -- Begin function buffer_tag
	.p2align	6, 0x90
	.type	buffer_tag,@function
buffer_tag:                             # @buffer_tag
.Lfunc_begin4:
	.loc	0 46 0                          # families.c:46:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: buffer_tag:b <- $rdi
	.loc	0 47 12 prologue_end            # families.c:47:12
	movl	4(%rdi), %eax
	.loc	0 47 2 is_stmt 0                # families.c:47:2
	retq
.Ltmp22:
.Lfunc_end4:
	.size	buffer_tag, .Lfunc_end4-buffer_tag
	.cfi_endproc
                                        # -- End function
	.globl	set_buffer_tag                  # -- Begin function set_buffer_tag
	.p2align	6, 0x90
	.type	set_buffer_tag,@function
set_buffer_tag:                         # @set_buffer_tag
.Lfunc_begin5:
	.loc	0 51 0 is_stmt 1                # families.c:51:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: set_buffer_tag:b <- $rdi
	#DEBUG_VALUE: set_buffer_tag:tag <- $esi
	.loc	0 52 9 prologue_end             # families.c:52:9
	movl	%esi, 4(%rdi)
	.loc	0 53 1                          # families.c:53:1
	retq
.Ltmp23:
.Lfunc_end5:
	.size	set_buffer_tag, .Lfunc_end5-set_buffer_tag
	.cfi_endproc
                                        # -- End function
	.globl	buffer_is_free                  # -- Begin function buffer_is_free
	.p2align	6, 0x90
	.type	buffer_is_free,@function
buffer_is_free:                         # @buffer_is_free
.Lfunc_begin6:
	.loc	0 56 0                          # families.c:56:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: buffer_is_free:b <- $rdi
	#DEBUG_VALUE: buffer_is_free:mask <- $esi
	#DEBUG_VALUE: buffer_is_free:id <- $edx
	#DEBUG_VALUE: buffer_is_free:salt <- $rcx
	.loc	0 57 10 prologue_end            # families.c:57:10
	cmpl	$0, (%rdi)
	.loc	0 57 16 is_stmt 0               # families.c:57:16
	je	.LBB6_2
.Ltmp24:
# %bb.1:
	#DEBUG_VALUE: buffer_is_free:b <- $rdi
	#DEBUG_VALUE: buffer_is_free:mask <- $esi
	#DEBUG_VALUE: buffer_is_free:id <- $edx
	#DEBUG_VALUE: buffer_is_free:salt <- $rcx
	.loc	0 0 16                          # families.c:0:16
	xorl	%eax, %eax
                                        # kill: def $al killed $al killed $eax
	.loc	0 57 2                          # families.c:57:2
	retq
.Ltmp25:
.LBB6_2:
	#DEBUG_VALUE: buffer_is_free:b <- $rdi
	#DEBUG_VALUE: buffer_is_free:mask <- $esi
	#DEBUG_VALUE: buffer_is_free:id <- $edx
	#DEBUG_VALUE: buffer_is_free:salt <- $rcx
	.loc	0 57 25                         # families.c:57:25
	movzbl	%sil, %eax
	andl	%ecx, %eax
	.loc	0 57 32                         # families.c:57:32
	movzwl	%dx, %ecx
.Ltmp26:
	#DEBUG_VALUE: buffer_is_free:salt <- [DW_OP_LLVM_entry_value 1] $rcx
	.loc	0 57 16                         # families.c:57:16
	testl	%ecx, %eax
	setne	%al
                                        # kill: def $al killed $al killed $eax
	.loc	0 57 2                          # families.c:57:2
	retq
.Ltmp27:
.Lfunc_end6:
	.size	buffer_is_free, .Lfunc_end6-buffer_is_free
	.cfi_endproc
                                        # -- End function
	.globl	peek_buffer                     # -- Begin function peek_buffer
	.p2align	6, 0x90
	.type	peek_buffer,@function
peek_buffer:                            # @peek_buffer
.Lfunc_begin7:
	.loc	0 61 0 is_stmt 1                # families.c:61:0
	.cfi_startproc
# %bb.0:
	#DEBUG_VALUE: peek_buffer:o <- $rdi
	.loc	0 62 12 prologue_end            # families.c:62:12
	movq	(%rdi), %rax
	.loc	0 62 2 is_stmt 0                # families.c:62:2
	retq
.Ltmp28:
.Lfunc_end7:
	.size	peek_buffer, .Lfunc_end7-peek_buffer
	.cfi_endproc
                                        # -- End function
	.type	heap,@object                    # @heap
	.local	heap
	.comm	heap,96,16
	.type	taken,@object                   # @taken
	.local	taken
	.comm	taken,4,4
	.type	ufunc_keep_0,@object            # @ufunc_keep_0
	.section	.rodata.ufunc_keep_0,"aR",@progbits
	.p2align	3
ufunc_keep_0:
	.quad	heap_buffer
	.size	ufunc_keep_0, 8

	.type	ufunc_keep_1,@object            # @ufunc_keep_1
	.section	.rodata.ufunc_keep_1,"aR",@progbits
	.p2align	3
ufunc_keep_1:
	.quad	drop_heap_buffer
	.size	ufunc_keep_1, 8

	.type	pool,@object                    # @pool
	.local	pool
	.comm	pool,96,16
	.type	ufunc_keep_2,@object            # @ufunc_keep_2
	.section	.rodata.ufunc_keep_2,"aR",@progbits
	.p2align	3
ufunc_keep_2:
	.quad	checkout_buffer
	.size	ufunc_keep_2, 8

	.type	ufunc_keep_3,@object            # @ufunc_keep_3
	.section	.rodata.ufunc_keep_3,"aR",@progbits
	.p2align	3
ufunc_keep_3:
	.quad	hand_back_buffer
	.size	ufunc_keep_3, 8

	.type	ufunc_keep_4,@object            # @ufunc_keep_4
	.section	.rodata.ufunc_keep_4,"aR",@progbits
	.p2align	3
ufunc_keep_4:
	.quad	buffer_tag
	.size	ufunc_keep_4, 8

	.type	ufunc_keep_5,@object            # @ufunc_keep_5
	.section	.rodata.ufunc_keep_5,"aR",@progbits
	.p2align	3
ufunc_keep_5:
	.quad	set_buffer_tag
	.size	ufunc_keep_5, 8

	.type	ufunc_keep_6,@object            # @ufunc_keep_6
	.section	.rodata.ufunc_keep_6,"aR",@progbits
	.p2align	3
ufunc_keep_6:
	.quad	buffer_is_free
	.size	ufunc_keep_6, 8

	.type	ufunc_keep_7,@object            # @ufunc_keep_7
	.section	.rodata.ufunc_keep_7,"aR",@progbits
	.p2align	3
ufunc_keep_7:
	.quad	peek_buffer
	.size	ufunc_keep_7, 8

	.section	.debug_loclists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0 # Length
.Ldebug_list_header_start0:
	.short	5                               # Version
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
	.long	1                               # Offset entry count
.Lloclists_table_base0:
	.long	.Ldebug_loc0-.Lloclists_table_base0
.Ldebug_loc0:
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Lfunc_begin6-.Lfunc_begin0    #   starting offset
	.uleb128 .Ltmp26-.Lfunc_begin0          #   ending offset
	.byte	1                               # Loc expr size
	.byte	82                              # DW_OP_reg2
	.byte	4                               # DW_LLE_offset_pair
	.uleb128 .Ltmp26-.Lfunc_begin0          #   starting offset
	.uleb128 .Lfunc_end6-.Lfunc_begin0      #   ending offset
	.byte	4                               # Loc expr size
	.byte	163                             # DW_OP_entry_value
	.byte	1                               # 1
	.byte	82                              # DW_OP_reg2
	.byte	159                             # DW_OP_stack_value
	.byte	0                               # DW_LLE_end_of_list
.Ldebug_list_header_end0:
	.section	.debug_abbrev,"",@progbits
	.byte	1                               # Abbreviation Code
	.byte	17                              # DW_TAG_compile_unit
	.byte	1                               # DW_CHILDREN_yes
	.byte	37                              # DW_AT_producer
	.byte	37                              # DW_FORM_strx1
	.byte	19                              # DW_AT_language
	.byte	5                               # DW_FORM_data2
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	114                             # DW_AT_str_offsets_base
	.byte	23                              # DW_FORM_sec_offset
	.byte	16                              # DW_AT_stmt_list
	.byte	23                              # DW_FORM_sec_offset
	.byte	27                              # DW_AT_comp_dir
	.byte	37                              # DW_FORM_strx1
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	115                             # DW_AT_addr_base
	.byte	23                              # DW_FORM_sec_offset
	.ascii	"\214\001"                      # DW_AT_loclists_base
	.byte	23                              # DW_FORM_sec_offset
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	2                               # Abbreviation Code
	.byte	52                              # DW_TAG_variable
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	2                               # DW_AT_location
	.byte	24                              # DW_FORM_exprloc
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	3                               # Abbreviation Code
	.byte	38                              # DW_TAG_const_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	4                               # Abbreviation Code
	.byte	15                              # DW_TAG_pointer_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	5                               # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	6                               # Abbreviation Code
	.byte	19                              # DW_TAG_structure_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	7                               # Abbreviation Code
	.byte	13                              # DW_TAG_member
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	56                              # DW_AT_data_member_location
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	8                               # Abbreviation Code
	.byte	36                              # DW_TAG_base_type
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	62                              # DW_AT_encoding
	.byte	11                              # DW_FORM_data1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	9                               # Abbreviation Code
	.byte	1                               # DW_TAG_array_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	10                              # Abbreviation Code
	.byte	33                              # DW_TAG_subrange_type
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	55                              # DW_AT_count
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	11                              # Abbreviation Code
	.byte	36                              # DW_TAG_base_type
	.byte	0                               # DW_CHILDREN_no
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	11                              # DW_AT_byte_size
	.byte	11                              # DW_FORM_data1
	.byte	62                              # DW_AT_encoding
	.byte	11                              # DW_FORM_data1
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	12                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	13                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	14                              # Abbreviation Code
	.byte	21                              # DW_TAG_subroutine_type
	.byte	1                               # DW_CHILDREN_yes
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	15                              # Abbreviation Code
	.byte	46                              # DW_TAG_subprogram
	.byte	0                               # DW_CHILDREN_no
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	64                              # DW_AT_frame_base
	.byte	24                              # DW_FORM_exprloc
	.byte	122                             # DW_AT_call_all_calls
	.byte	25                              # DW_FORM_flag_present
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	63                              # DW_AT_external
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	16                              # Abbreviation Code
	.byte	46                              # DW_TAG_subprogram
	.byte	1                               # DW_CHILDREN_yes
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	64                              # DW_AT_frame_base
	.byte	24                              # DW_FORM_exprloc
	.byte	122                             # DW_AT_call_all_calls
	.byte	25                              # DW_FORM_flag_present
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	63                              # DW_AT_external
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	17                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	2                               # DW_AT_location
	.byte	24                              # DW_FORM_exprloc
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	18                              # Abbreviation Code
	.byte	46                              # DW_TAG_subprogram
	.byte	1                               # DW_CHILDREN_yes
	.byte	17                              # DW_AT_low_pc
	.byte	27                              # DW_FORM_addrx
	.byte	18                              # DW_AT_high_pc
	.byte	6                               # DW_FORM_data4
	.byte	64                              # DW_AT_frame_base
	.byte	24                              # DW_FORM_exprloc
	.byte	122                             # DW_AT_call_all_calls
	.byte	25                              # DW_FORM_flag_present
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	39                              # DW_AT_prototyped
	.byte	25                              # DW_FORM_flag_present
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	63                              # DW_AT_external
	.byte	25                              # DW_FORM_flag_present
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	19                              # Abbreviation Code
	.byte	5                               # DW_TAG_formal_parameter
	.byte	0                               # DW_CHILDREN_no
	.byte	2                               # DW_AT_location
	.byte	34                              # DW_FORM_loclistx
	.byte	3                               # DW_AT_name
	.byte	37                              # DW_FORM_strx1
	.byte	58                              # DW_AT_decl_file
	.byte	11                              # DW_FORM_data1
	.byte	59                              # DW_AT_decl_line
	.byte	11                              # DW_FORM_data1
	.byte	73                              # DW_AT_type
	.byte	19                              # DW_FORM_ref4
	.byte	0                               # EOM(1)
	.byte	0                               # EOM(2)
	.byte	0                               # EOM(3)
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0 # Length of Unit
.Ldebug_info_start0:
	.short	5                               # DWARF version number
	.byte	1                               # DWARF Unit Type
	.byte	8                               # Address Size (in bytes)
	.long	.debug_abbrev                   # Offset Into Abbrev. Section
	.byte	1                               # Abbrev [1] 0xc:0x28a DW_TAG_compile_unit
	.byte	0                               # DW_AT_producer
	.short	12                              # DW_AT_language
	.byte	1                               # DW_AT_name
	.long	.Lstr_offsets_base0             # DW_AT_str_offsets_base
	.long	.Lline_table_start0             # DW_AT_stmt_list
	.byte	2                               # DW_AT_comp_dir
	.byte	11                              # DW_AT_low_pc
	.long	.Lfunc_end7-.Lfunc_begin0       # DW_AT_high_pc
	.long	.Laddr_table_base0              # DW_AT_addr_base
	.long	.Lloclists_table_base0          # DW_AT_loclists_base
	.byte	2                               # Abbrev [2] 0x27:0xb DW_TAG_variable
	.byte	3                               # DW_AT_name
	.long	50                              # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	29                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	0
	.byte	3                               # Abbrev [3] 0x32:0x5 DW_TAG_const_type
	.long	55                              # DW_AT_type
	.byte	4                               # Abbrev [4] 0x37:0x5 DW_TAG_pointer_type
	.long	60                              # DW_AT_type
	.byte	5                               # Abbrev [5] 0x3c:0x5 DW_TAG_subroutine_type
	.long	65                              # DW_AT_type
                                        # DW_AT_prototyped
	.byte	4                               # Abbrev [4] 0x41:0x5 DW_TAG_pointer_type
	.long	70                              # DW_AT_type
	.byte	6                               # Abbrev [6] 0x46:0x21 DW_TAG_structure_type
	.byte	10                              # DW_AT_name
	.byte	24                              # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	6                               # DW_AT_decl_line
	.byte	7                               # Abbrev [7] 0x4b:0x9 DW_TAG_member
	.byte	4                               # DW_AT_name
	.long	103                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	7                               # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	7                               # Abbrev [7] 0x54:0x9 DW_TAG_member
	.byte	6                               # DW_AT_name
	.long	103                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	8                               # DW_AT_decl_line
	.byte	4                               # DW_AT_data_member_location
	.byte	7                               # Abbrev [7] 0x5d:0x9 DW_TAG_member
	.byte	7                               # DW_AT_name
	.long	107                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	9                               # DW_AT_decl_line
	.byte	8                               # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	8                               # Abbrev [8] 0x67:0x4 DW_TAG_base_type
	.byte	5                               # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	9                               # Abbrev [9] 0x6b:0xc DW_TAG_array_type
	.long	119                             # DW_AT_type
	.byte	10                              # Abbrev [10] 0x70:0x6 DW_TAG_subrange_type
	.long	123                             # DW_AT_type
	.byte	16                              # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	8                               # Abbrev [8] 0x77:0x4 DW_TAG_base_type
	.byte	8                               # DW_AT_name
	.byte	6                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	11                              # Abbrev [11] 0x7b:0x4 DW_TAG_base_type
	.byte	9                               # DW_AT_name
	.byte	8                               # DW_AT_byte_size
	.byte	7                               # DW_AT_encoding
	.byte	2                               # Abbrev [2] 0x7f:0xb DW_TAG_variable
	.byte	11                              # DW_AT_name
	.long	138                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	30                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	1
	.byte	3                               # Abbrev [3] 0x8a:0x5 DW_TAG_const_type
	.long	143                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x8f:0x5 DW_TAG_pointer_type
	.long	148                             # DW_AT_type
	.byte	12                              # Abbrev [12] 0x94:0x7 DW_TAG_subroutine_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0x95:0x5 DW_TAG_formal_parameter
	.long	65                              # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	2                               # Abbrev [2] 0x9b:0xb DW_TAG_variable
	.byte	12                              # DW_AT_name
	.long	166                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	42                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	2
	.byte	3                               # Abbrev [3] 0xa6:0x5 DW_TAG_const_type
	.long	171                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0xab:0x5 DW_TAG_pointer_type
	.long	176                             # DW_AT_type
	.byte	14                              # Abbrev [14] 0xb0:0xb DW_TAG_subroutine_type
	.long	65                              # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0xb5:0x5 DW_TAG_formal_parameter
	.long	187                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	8                               # Abbrev [8] 0xbb:0x4 DW_TAG_base_type
	.byte	13                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	4                               # DW_AT_byte_size
	.byte	2                               # Abbrev [2] 0xbf:0xb DW_TAG_variable
	.byte	14                              # DW_AT_name
	.long	138                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	43                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	3
	.byte	2                               # Abbrev [2] 0xca:0xb DW_TAG_variable
	.byte	15                              # DW_AT_name
	.long	213                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	65                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	4
	.byte	3                               # Abbrev [3] 0xd5:0x5 DW_TAG_const_type
	.long	218                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0xda:0x5 DW_TAG_pointer_type
	.long	223                             # DW_AT_type
	.byte	14                              # Abbrev [14] 0xdf:0xb DW_TAG_subroutine_type
	.long	103                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0xe4:0x5 DW_TAG_formal_parameter
	.long	234                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	4                               # Abbrev [4] 0xea:0x5 DW_TAG_pointer_type
	.long	239                             # DW_AT_type
	.byte	3                               # Abbrev [3] 0xef:0x5 DW_TAG_const_type
	.long	70                              # DW_AT_type
	.byte	2                               # Abbrev [2] 0xf4:0xb DW_TAG_variable
	.byte	16                              # DW_AT_name
	.long	255                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	66                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	5
	.byte	3                               # Abbrev [3] 0xff:0x5 DW_TAG_const_type
	.long	260                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x104:0x5 DW_TAG_pointer_type
	.long	265                             # DW_AT_type
	.byte	12                              # Abbrev [12] 0x109:0xc DW_TAG_subroutine_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0x10a:0x5 DW_TAG_formal_parameter
	.long	65                              # DW_AT_type
	.byte	13                              # Abbrev [13] 0x10f:0x5 DW_TAG_formal_parameter
	.long	103                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	2                               # Abbrev [2] 0x115:0xb DW_TAG_variable
	.byte	17                              # DW_AT_name
	.long	288                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	67                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	6
	.byte	3                               # Abbrev [3] 0x120:0x5 DW_TAG_const_type
	.long	293                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x125:0x5 DW_TAG_pointer_type
	.long	298                             # DW_AT_type
	.byte	14                              # Abbrev [14] 0x12a:0x1a DW_TAG_subroutine_type
	.long	324                             # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0x12f:0x5 DW_TAG_formal_parameter
	.long	65                              # DW_AT_type
	.byte	13                              # Abbrev [13] 0x134:0x5 DW_TAG_formal_parameter
	.long	328                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0x139:0x5 DW_TAG_formal_parameter
	.long	332                             # DW_AT_type
	.byte	13                              # Abbrev [13] 0x13e:0x5 DW_TAG_formal_parameter
	.long	336                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	8                               # Abbrev [8] 0x144:0x4 DW_TAG_base_type
	.byte	18                              # DW_AT_name
	.byte	2                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	8                               # Abbrev [8] 0x148:0x4 DW_TAG_base_type
	.byte	19                              # DW_AT_name
	.byte	8                               # DW_AT_encoding
	.byte	1                               # DW_AT_byte_size
	.byte	8                               # Abbrev [8] 0x14c:0x4 DW_TAG_base_type
	.byte	20                              # DW_AT_name
	.byte	5                               # DW_AT_encoding
	.byte	2                               # DW_AT_byte_size
	.byte	8                               # Abbrev [8] 0x150:0x4 DW_TAG_base_type
	.byte	21                              # DW_AT_name
	.byte	7                               # DW_AT_encoding
	.byte	8                               # DW_AT_byte_size
	.byte	2                               # Abbrev [2] 0x154:0xb DW_TAG_variable
	.byte	22                              # DW_AT_name
	.long	351                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	68                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	7
	.byte	3                               # Abbrev [3] 0x15f:0x5 DW_TAG_const_type
	.long	356                             # DW_AT_type
	.byte	4                               # Abbrev [4] 0x164:0x5 DW_TAG_pointer_type
	.long	361                             # DW_AT_type
	.byte	14                              # Abbrev [14] 0x169:0xb DW_TAG_subroutine_type
	.long	65                              # DW_AT_type
                                        # DW_AT_prototyped
	.byte	13                              # Abbrev [13] 0x16e:0x5 DW_TAG_formal_parameter
	.long	372                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	4                               # Abbrev [4] 0x174:0x5 DW_TAG_pointer_type
	.long	377                             # DW_AT_type
	.byte	6                               # Abbrev [6] 0x179:0xf DW_TAG_structure_type
	.byte	24                              # DW_AT_name
	.byte	8                               # DW_AT_byte_size
	.byte	0                               # DW_AT_decl_file
	.byte	12                              # DW_AT_decl_line
	.byte	7                               # Abbrev [7] 0x17e:0x9 DW_TAG_member
	.byte	23                              # DW_AT_name
	.long	65                              # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	13                              # DW_AT_decl_line
	.byte	0                               # DW_AT_data_member_location
	.byte	0                               # End Of Children Mark
	.byte	2                               # Abbrev [2] 0x188:0xb DW_TAG_variable
	.byte	25                              # DW_AT_name
	.long	403                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	16                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	8
	.byte	9                               # Abbrev [9] 0x193:0xc DW_TAG_array_type
	.long	70                              # DW_AT_type
	.byte	10                              # Abbrev [10] 0x198:0x6 DW_TAG_subrange_type
	.long	123                             # DW_AT_type
	.byte	4                               # DW_AT_count
	.byte	0                               # End Of Children Mark
	.byte	2                               # Abbrev [2] 0x19f:0xb DW_TAG_variable
	.byte	26                              # DW_AT_name
	.long	403                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	16                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	9
	.byte	2                               # Abbrev [2] 0x1aa:0xb DW_TAG_variable
	.byte	27                              # DW_AT_name
	.long	103                             # DW_AT_type
	.byte	0                               # DW_AT_decl_file
	.byte	17                              # DW_AT_decl_line
	.byte	2                               # DW_AT_location
	.byte	161
	.byte	10
	.byte	15                              # Abbrev [15] 0x1b5:0xf DW_TAG_subprogram
	.byte	11                              # DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	28                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	19                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	65                              # DW_AT_type
                                        # DW_AT_external
	.byte	16                              # Abbrev [16] 0x1c4:0x16 DW_TAG_subprogram
	.byte	12                              # DW_AT_low_pc
	.long	.Lfunc_end1-.Lfunc_begin1       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	29                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	24                              # DW_AT_decl_line
                                        # DW_AT_prototyped
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x1cf:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	36                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	24                              # DW_AT_decl_line
	.long	65                              # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	18                              # Abbrev [18] 0x1da:0x1a DW_TAG_subprogram
	.byte	13                              # DW_AT_low_pc
	.long	.Lfunc_end2-.Lfunc_begin2       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	30                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	32                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	65                              # DW_AT_type
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x1e9:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	37                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	32                              # DW_AT_decl_line
	.long	187                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	16                              # Abbrev [16] 0x1f4:0x16 DW_TAG_subprogram
	.byte	14                              # DW_AT_low_pc
	.long	.Lfunc_end3-.Lfunc_begin3       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	31                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	37                              # DW_AT_decl_line
                                        # DW_AT_prototyped
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x1ff:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	36                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	37                              # DW_AT_decl_line
	.long	65                              # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	18                              # Abbrev [18] 0x20a:0x1a DW_TAG_subprogram
	.byte	15                              # DW_AT_low_pc
	.long	.Lfunc_end4-.Lfunc_begin4       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	32                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	45                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	103                             # DW_AT_type
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x219:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	36                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	45                              # DW_AT_decl_line
	.long	234                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	16                              # Abbrev [16] 0x224:0x20 DW_TAG_subprogram
	.byte	16                              # DW_AT_low_pc
	.long	.Lfunc_end5-.Lfunc_begin5       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	33                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	50                              # DW_AT_decl_line
                                        # DW_AT_prototyped
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x22f:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	36                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	50                              # DW_AT_decl_line
	.long	65                              # DW_AT_type
	.byte	17                              # Abbrev [17] 0x239:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	84
	.byte	6                               # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	50                              # DW_AT_decl_line
	.long	103                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	18                              # Abbrev [18] 0x244:0x37 DW_TAG_subprogram
	.byte	17                              # DW_AT_low_pc
	.long	.Lfunc_end6-.Lfunc_begin6       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	34                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	55                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	324                             # DW_AT_type
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x253:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	36                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	55                              # DW_AT_decl_line
	.long	65                              # DW_AT_type
	.byte	17                              # Abbrev [17] 0x25d:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	84
	.byte	38                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	55                              # DW_AT_decl_line
	.long	328                             # DW_AT_type
	.byte	17                              # Abbrev [17] 0x267:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	81
	.byte	4                               # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	55                              # DW_AT_decl_line
	.long	332                             # DW_AT_type
	.byte	19                              # Abbrev [19] 0x271:0x9 DW_TAG_formal_parameter
	.byte	0                               # DW_AT_location
	.byte	39                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	55                              # DW_AT_decl_line
	.long	336                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	18                              # Abbrev [18] 0x27b:0x1a DW_TAG_subprogram
	.byte	18                              # DW_AT_low_pc
	.long	.Lfunc_end7-.Lfunc_begin7       # DW_AT_high_pc
	.byte	1                               # DW_AT_frame_base
	.byte	87
                                        # DW_AT_call_all_calls
	.byte	35                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	60                              # DW_AT_decl_line
                                        # DW_AT_prototyped
	.long	65                              # DW_AT_type
                                        # DW_AT_external
	.byte	17                              # Abbrev [17] 0x28a:0xa DW_TAG_formal_parameter
	.byte	1                               # DW_AT_location
	.byte	85
	.byte	40                              # DW_AT_name
	.byte	0                               # DW_AT_decl_file
	.byte	60                              # DW_AT_decl_line
	.long	372                             # DW_AT_type
	.byte	0                               # End Of Children Mark
	.byte	0                               # End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	168                             # Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"Debian clang version 14.0.6"   # string offset=0
.Linfo_string1:
	.asciz	"families.c"                    # string offset=28
.Linfo_string2:
	.asciz	"."                             # string offset=39
.Linfo_string3:
	.asciz	"ufunc_keep_0"                  # string offset=41
.Linfo_string4:
	.asciz	"id"                            # string offset=54
.Linfo_string5:
	.asciz	"int"                           # string offset=57
.Linfo_string6:
	.asciz	"tag"                           # string offset=61
.Linfo_string7:
	.asciz	"text"                          # string offset=65
.Linfo_string8:
	.asciz	"char"                          # string offset=70
.Linfo_string9:
	.asciz	"__ARRAY_SIZE_TYPE__"           # string offset=75
.Linfo_string10:
	.asciz	"buffer"                        # string offset=95
.Linfo_string11:
	.asciz	"ufunc_keep_1"                  # string offset=102
.Linfo_string12:
	.asciz	"ufunc_keep_2"                  # string offset=115
.Linfo_string13:
	.asciz	"unsigned int"                  # string offset=128
.Linfo_string14:
	.asciz	"ufunc_keep_3"                  # string offset=141
.Linfo_string15:
	.asciz	"ufunc_keep_4"                  # string offset=154
.Linfo_string16:
	.asciz	"ufunc_keep_5"                  # string offset=167
.Linfo_string17:
	.asciz	"ufunc_keep_6"                  # string offset=180
.Linfo_string18:
	.asciz	"_Bool"                         # string offset=193
.Linfo_string19:
	.asciz	"unsigned char"                 # string offset=199
.Linfo_string20:
	.asciz	"short"                         # string offset=213
.Linfo_string21:
	.asciz	"unsigned long long"            # string offset=219
.Linfo_string22:
	.asciz	"ufunc_keep_7"                  # string offset=238
.Linfo_string23:
	.asciz	"current"                       # string offset=251
.Linfo_string24:
	.asciz	"owner"                         # string offset=259
.Linfo_string25:
	.asciz	"heap"                          # string offset=265
.Linfo_string26:
	.asciz	"pool"                          # string offset=270
.Linfo_string27:
	.asciz	"taken"                         # string offset=275
.Linfo_string28:
	.asciz	"heap_buffer"                   # string offset=281
.Linfo_string29:
	.asciz	"drop_heap_buffer"              # string offset=293
.Linfo_string30:
	.asciz	"checkout_buffer"               # string offset=310
.Linfo_string31:
	.asciz	"hand_back_buffer"              # string offset=326
.Linfo_string32:
	.asciz	"buffer_tag"                    # string offset=343
.Linfo_string33:
	.asciz	"set_buffer_tag"                # string offset=354
.Linfo_string34:
	.asciz	"buffer_is_free"                # string offset=369
.Linfo_string35:
	.asciz	"peek_buffer"                   # string offset=384
.Linfo_string36:
	.asciz	"b"                             # string offset=396
.Linfo_string37:
	.asciz	"slot"                          # string offset=398
.Linfo_string38:
	.asciz	"mask"                          # string offset=403
.Linfo_string39:
	.asciz	"salt"                          # string offset=408
.Linfo_string40:
	.asciz	"o"                             # string offset=413
	.section	.debug_str_offsets,"",@progbits
	.long	.Linfo_string0
	.long	.Linfo_string1
	.long	.Linfo_string2
	.long	.Linfo_string3
	.long	.Linfo_string4
	.long	.Linfo_string5
	.long	.Linfo_string6
	.long	.Linfo_string7
	.long	.Linfo_string8
	.long	.Linfo_string9
	.long	.Linfo_string10
	.long	.Linfo_string11
	.long	.Linfo_string12
	.long	.Linfo_string13
	.long	.Linfo_string14
	.long	.Linfo_string15
	.long	.Linfo_string16
	.long	.Linfo_string17
	.long	.Linfo_string18
	.long	.Linfo_string19
	.long	.Linfo_string20
	.long	.Linfo_string21
	.long	.Linfo_string22
	.long	.Linfo_string23
	.long	.Linfo_string24
	.long	.Linfo_string25
	.long	.Linfo_string26
	.long	.Linfo_string27
	.long	.Linfo_string28
	.long	.Linfo_string29
	.long	.Linfo_string30
	.long	.Linfo_string31
	.long	.Linfo_string32
	.long	.Linfo_string33
	.long	.Linfo_string34
	.long	.Linfo_string35
	.long	.Linfo_string36
	.long	.Linfo_string37
	.long	.Linfo_string38
	.long	.Linfo_string39
	.long	.Linfo_string40
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 # Length of contribution
.Ldebug_addr_start0:
	.short	5                               # DWARF version number
	.byte	8                               # Address size
	.byte	0                               # Segment selector size
.Laddr_table_base0:
	.quad	ufunc_keep_0
	.quad	ufunc_keep_1
	.quad	ufunc_keep_2
	.quad	ufunc_keep_3
	.quad	ufunc_keep_4
	.quad	ufunc_keep_5
	.quad	ufunc_keep_6
	.quad	ufunc_keep_7
	.quad	heap
	.quad	pool
	.quad	taken
	.quad	.Lfunc_begin0
	.quad	.Lfunc_begin1
	.quad	.Lfunc_begin2
	.quad	.Lfunc_begin3
	.quad	.Lfunc_begin4
	.quad	.Lfunc_begin5
	.quad	.Lfunc_begin6
	.quad	.Lfunc_begin7
.Ldebug_addr_end0:
	.ident	"Debian clang version 14.0.6"
	.section	".note.GNU-stack","",@progbits
	.section	.debug_line,"",@progbits
.Lline_table_start0:
