// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What is only looked up is read like any object, and not given back.
 *
 * host: guestbook
 * expect: accepted
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(find_and_read)
{
	struct visitor *visitor = find_visitor(2);

	if (!visitor)
		return 0;
	bpf_printk("find_and_read: visitor %d", visitor->number);
	return visitor->visits;
}
