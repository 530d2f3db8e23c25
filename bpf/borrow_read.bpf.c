// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Looks at the account that the host is about to pay into, and at what that leads to: read like any
 * struct, and judged by the host's own layout.
 *
 * host: granted
 * expect: accepted
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_read, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	bpf_printk("balance %ld limit %d trend %d", a->balance, a->limit, a->trend);
	bpf_printk("last amount %d receipt %d %c", a->history->amounts[2], a->history->last->number,
		   a->history->last->text[6]);
	ufunc_put_account(a);
	return 0;
}
