// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Sets fields that the host's policy grants: of the account that it is about to pay into, bit-fields
 * among them, and of one of the extension's own.
 *
 * host: granted
 * expect: accepted
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(write_granted, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (a) {
		ufunc_write_account_limit(a, -7);
		ufunc_write_account_place_y(a, 55);
		ufunc_write_account_frozen(a, 1);
		ufunc_write_account_kind(a, 5);
		ufunc_write_account_trend(a, -16);
		ufunc_put_account(a);
	}
	a = account_open();
	if (!a)
		return 0;
	ufunc_write_account_limit(a, 70);
	ufunc_write_account_balance(a, 1L << 40);
	bpf_printk("own balance %ld limit %d", a->balance, a->limit);
	account_close(a);
	return 0;
}
