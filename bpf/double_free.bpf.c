// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Gives the same object back twice. After the first time it is no object any more, for the verifier
 * a mere number, which older kernels say in other words.
 *
 * host: btf-base-complete
 * expect: rejected: expects referenced PTR_TO_BTF_ID | pointer type STRUCT data must point to
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(double_free)
{
	struct data *d = my_alloc_data();

	if (!d)
		return 0;
	my_free_data(d);
	my_free_data(d);
	return 0;
}
