// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * There may be no such visitor.
 *
 * host: guestbook
 * expect: rejected: invalid mem access 'ptr_or_null_' | invalid mem access 'trusted_ptr_or_null_'
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(find_no_check)
{
	struct visitor *visitor = find_visitor(3);

	return visitor->visits;
}
