// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Gives back what it was never given: the argument of the probed function is for the verifier just
 * a number out of a register, whatever type the program says it has.
 *
 * host: btf-base-complete
 * expect: rejected: expects referenced PTR_TO_BTF_ID | pointer type STRUCT data must point to
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(scalar_as_object, struct data *d)
{
	my_free_data(d);
	return 0;
}
