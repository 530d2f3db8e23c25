// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Gives the object back, but not on the early return: every path is looked at, also one that is
 * never taken in practice.
 *
 * host: btf-base-complete
 * expect: rejected: Unreleased reference
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(leak_on_one_path)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	if (d->a < 0)
		return 1; /* d is still owed */
	my_free_data(d);
	return 0;
}
