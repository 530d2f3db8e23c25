// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Goes through the elements of the map that --map names, its own or that of a program that is pinned,
 * and writes a line for each.
 *
 * expect: accepted
 * host: btf-base
 * attach: --map squares
 * outputs: map_iterator: 3 is there
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} squares SEC(".maps");

SEC("iter/bpf_map_elem")
int map_iterator(struct bpf_iter__bpf_map_elem *ctx)
{
	__u32 *key = ctx->key;
	__u64 *value = ctx->value;

	if (!key || !value)
		return 0;
	*value = (__u64)*key * *key;
	BPF_SEQ_PRINTF(ctx->meta->seq, "map_iterator: %u is there, squared %llu\n", *key, *value);
	return 0;
}
