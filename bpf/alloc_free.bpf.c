// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The way it should be: take an object from the host, check that there is one, give it back.
 *
 * host: btf-base-complete
 * expect: accepted
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(alloc_free)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	my_free_data(d);
	return 0;
}
