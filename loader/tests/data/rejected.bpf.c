// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs that the verifier refuses, each for another reason, around one that it takes. */
#include "host.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, int);
	__type(value, long);
} counters SEC(".maps");

SEC("uprobe")
int leak(void *ctx)
{
	long *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	*event = 1;
	return 0;
}

SEC("uprobe")
int no_null_check(void *ctx)
{
	int key = 0;
	long *counter = bpf_map_lookup_elem(&counters, &key);

	return *counter;
}

SEC("uprobe")
int fine(void *ctx)
{
	return 0;
}

SEC("uprobe")
int stack_read(void *ctx)
{
	long byte;

	asm volatile("%0 = *(u8 *)(r10 + 68)" : "=r"(byte));
	return byte;
}

static __noinline int read_scalar(unsigned long address)
{
	return *(volatile int *)address;
}

SEC("uprobe")
int in_subprogram(void *ctx)
{
	return read_scalar(bpf_get_current_pid_tgid());
}

SEC("uprobe")
int unreachable(void *ctx)
{
	asm volatile("goto +1; r0 = 1; r0 = 0; exit;" ::: "r0");
	return 0;
}
