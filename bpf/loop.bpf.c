// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Takes an object and gives it back in each round of a loop: nothing is owed from one round to the
 * next, and the loop ends.
 *
 * host: btf-base-complete
 * expect: accepted
 */
#include "uprobe.h"
#include "btf_base_complete.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(loop)
{
	struct data *d;
	int i;

	/* A loop also in the instructions: not four copies of its body. */
#pragma clang loop unroll(disable)
	for (i = 0; i < 4; i++) {
		d = my_alloc_data();
		if (!d)
			break;
		my_free_data(d);
	}
	return 0;
}
