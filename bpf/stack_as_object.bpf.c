// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Passes memory of its own, which looks like the struct, where the host expects one of its
 * objects.
 *
 * host: annotated
 * expect: rejected: R1 is fp expected STRUCT buffer | must point to
 */
#include "uprobe.h"
#include "annotated.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/annotated:handle")
int BPF_UPROBE(stack_as_object)
{
	struct {
		char bytes[24];
	} own = {};

	set_tag((struct buffer *)&own, 1);
	return 0;
}
