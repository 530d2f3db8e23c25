// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Gives back what it never checked: the host may have had no memory, and would be handed NULL.
 *
 * host: btf-base-complete
 * expect: rejected: Possibly NULL pointer
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(no_null_check)
{
	struct data *d = my_alloc_data();

	my_free_data(d);
	return 0;
}
