// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Two pairs of functions on one struct, each object given back to where it came from. The plain
 * function takes both.
 *
 * host: annotated
 * expect: accepted
 */
#include "uprobe.h"
#include "annotated.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/annotated:handle")
int BPF_UPROBE(families)
{
	struct buffer *heap, *pool;

	heap = buffer_new();
	if (!heap)
		return 0;
	pool = checkout(0);
	if (pool) {
		set_tag(pool, heap->id);
		hand_back(pool);
	}
	set_tag(heap, 1);
	drop_buffer(heap);
	return 0;
}
