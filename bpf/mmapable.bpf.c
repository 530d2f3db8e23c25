// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Counts calls in an array that a process may map into its memory, and so read and write without a
 * system call.
 *
 * expect: accepted
 * host: btf-base
 * attach: --dump calls
 * counts: 0 =
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

SEC("uprobe/examples/btf-base:add_test")
int BPF_UPROBE(mmapable)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&calls, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
