// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Gives an object of the pool to the heap's release function.
 *
 * host: annotated
 * expect: rejected: expected pointer to STRUCT buffer but R1 has a pointer to STRUCT buffer__pool
 */
#include "uprobe.h"
#include "annotated.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/annotated:handle")
int BPF_UPROBE(wrong_family)
{
	struct buffer *b = checkout(0);

	if (b)
		drop_buffer(b);
	return 0;
}
