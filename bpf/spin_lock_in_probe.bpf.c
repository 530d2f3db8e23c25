// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Takes the lock of a map value in a probe, which could interrupt its owner and wait for ever.
 *
 * host: btf-base
 * expect: rejected: tracing progs cannot use bpf_spin_lock yet
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct total {
	struct bpf_spin_lock lock;
	__u32 calls;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct total);
} totals SEC(".maps");

SEC("uprobe/examples/btf-base:add_test")
int BPF_UPROBE(spin_lock_in_probe)
{
	struct total *total;
	__u32 key = 0;

	total = bpf_map_lookup_elem(&totals, &key);
	if (!total)
		return 0;
	bpf_spin_lock(&total->lock);
	total->calls++;
	bpf_spin_unlock(&total->lock);
	return 0;
}
