// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Two numbers of one map value that must change together, under the value's own lock. A probe may
 * interrupt whoever holds the lock, so probes may not take it; an iterator may.
 *
 * expect: accepted
 * host: btf-base
 * outputs: spin_lock: together
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct totals {
	struct bpf_spin_lock lock;
	__u32 tasks;
	__u32 again;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

SEC("iter/task")
int spin_lock(struct bpf_iter__task *ctx)
{
	struct totals *total;
	bool together;
	__u32 key = 0;

	total = bpf_map_lookup_elem(&totals, &key);
	if (!total)
		return 0;
	bpf_spin_lock(&total->lock);
	if (ctx->task) {
		total->tasks++;
		total->again++;
	}
	together = total->tasks > 0 && total->tasks == total->again;
	bpf_spin_unlock(&total->lock);
	/* After the last task there is one call without any. */
	if (!ctx->task && together)
		BPF_SEQ_PRINTF(ctx->meta->seq, "spin_lock: together\n");
	return 0;
}
