// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads element 100 of an array of 10, and of a struct that ends soon after it.
 *
 * host: btf-base-complete
 * expect: rejected: access beyond struct deep_memory_block
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(read_beyond_array)
{
	struct data *d = my_alloc_data();
	const char *b;
	char c;

	if (!d)
		return 0;
	/* By way of a pointer: in `deep->b[100]` the compiler itself would see the mistake. */
	b = d->inner->deep->b;
	c = b[100];
	my_free_data(d);
	return c;
}
