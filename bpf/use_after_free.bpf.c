// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads a field of an object that it has given back. For the verifier, d is then a mere number.
 *
 * host: btf-base-complete
 * expect: rejected: invalid mem access 'scalar'
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(use_after_free)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	my_free_data(d);
	return d->a;
}
