// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads fields by plain C, through two pointers into the host's memory and without a copy: types
 * and offsets are checked before, and a bad pointer reads 0.
 *
 * host: btf-base-complete
 * expect: accepted
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(read_fields)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	bpf_printk("a %d, inner a %d, deep a %d", d->a, d->inner->a, d->inner->deep->a);
	bpf_printk("deep b[3] %c", d->inner->deep->b[3]);
	my_free_data(d);
	return 0;
}
