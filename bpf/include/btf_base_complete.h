/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What an extension must know of the host examples/btf-base-complete: its structs and the functions
 * that it lends.
 *
 * Struct layouts are taken from the host when a program is loaded (CO-RE): only the names of
 * structs and fields count here, not offsets, and fields that no program uses could be left out.
 */
#ifndef BTF_BASE_COMPLETE_H
#define BTF_BASE_COMPLETE_H

struct deep_memory_block {
	int a;
	char b[10];
} __attribute__((preserve_access_index));

struct inner_memory_block {
	int a;
	char b[10];
	struct deep_memory_block *deep;
} __attribute__((preserve_access_index));

struct data {
	int a;
	int b;
	int c;
	int d;
	struct inner_memory_block *inner;
} __attribute__((preserve_access_index));

/* A new object, or NULL. Whoever has one owes the host a my_free_data. */
extern struct data *my_alloc_data(void) __ksym;
extern void my_free_data(struct data *d) __ksym;

#endif /* BTF_BASE_COMPLETE_H */
