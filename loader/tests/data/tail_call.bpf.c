// SPDX-License-Identifier: MIT OR Apache-2.0
/* A program array that libbpf fills with the object's own programs. */
#include "host.h"

int target(void *ctx);
int broken_target(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(int));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = {[0] = (void *)&target, [1] = (void *)&broken_target},
};

SEC("uprobe")
int caller(void *ctx)
{
	bpf_tail_call(ctx, &targets, 0);
	return 0;
}

SEC("uprobe")
int target(void *ctx)
{
	return 1;
}

SEC("uprobe")
int broken_target(void *ctx)
{
	return *(volatile int *)0;
}
