// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Misuse of the ufuncs of examples/btf-base-complete, for the logs in logs/: its module has to be
 * loaded, so these are judged in the virtual machine only.
 */
#include "host.h"

struct deep_memory_block {
	int a;
	char b[10];
};

struct inner_memory_block {
	int a;
	char b[10];
	struct deep_memory_block *deep;
};

struct data {
	int a;
	int b;
	int c;
	int d;
	struct inner_memory_block *inner;
};

extern struct data *my_alloc_data(void) __ksym;
extern void my_free_data(struct data *data) __ksym;

SEC("xdp")
int wrong_program_type(void *ctx)
{
	struct data *data = my_alloc_data();

	if (data)
		my_free_data(data);
	return 0;
}

SEC("uprobe")
int wrong_struct(void *ctx)
{
	struct data *data = my_alloc_data();

	if (!data)
		return 0;
	my_free_data((struct data *)data->inner);
	return 0;
}

SEC("uprobe")
int own_object(void *ctx)
{
	struct data data = {};

	my_free_data(&data);
	return 0;
}

SEC("uprobe")
int variable_index(void *ctx)
{
	struct data *data = my_alloc_data();
	int index = bpf_get_prandom_u32() % 10;
	int byte;

	if (!data)
		return 0;
	byte = data->inner->b[index];
	my_free_data(data);
	return byte;
}

SEC("uprobe")
int read_beyond(void *ctx)
{
	struct data *data = my_alloc_data();
	int beyond;

	if (!data)
		return 0;
	beyond = ((volatile int *)data)[6];
	my_free_data(data);
	return beyond;
}

SEC("uprobe")
int read_without_check(void *ctx)
{
	struct data *data = my_alloc_data();
	int a = data->a;

	if (data)
		my_free_data(data);
	return a;
}

static __noinline int acquire_only(void)
{
	struct data *data = my_alloc_data();

	return data ? data->a : 0;
}

SEC("uprobe")
int leak_in_subprogram(void *ctx)
{
	return acquire_only();
}

SEC("uprobe")
int leak_in_loop(void *ctx)
{
	struct data *data = 0;
	int i;

	for (i = 0; i < 3; i++) {
		data = my_alloc_data();
		if (!data)
			return 0;
	}
	my_free_data(data);
	return 0;
}
