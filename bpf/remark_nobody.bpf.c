// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Where the host takes an object or NULL, an extension may pass either.
 *
 * host: guestbook
 * expect: accepted
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(remark_nobody)
{
	struct visitor *visitor;

	remark(NULL, 1);
	visitor = new_visitor(7);
	if (!visitor)
		return 0;
	remark(visitor, 2);
	free_visitor(visitor);
	return 0;
}
