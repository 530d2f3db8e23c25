// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The object is never given back: the host would lose memory each time the probe is hit.
 *
 * host: btf-base-complete
 * expect: rejected: Unreleased reference
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(leak)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	return d->a; /* and nobody has d any more */
}
