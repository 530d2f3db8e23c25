// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Writes to a field of an object of its own. The host's memory is for reading; to change it is left
 * to functions of the host.
 *
 * host: btf-base-complete
 * expect: rejected: only read is supported
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(write_field)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	d->a = 42;
	my_free_data(d);
	return 0;
}
