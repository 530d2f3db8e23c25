// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Sets the balance of the host's account, which is granted for accounts of the extension's own only.
 *
 * host: granted
 * expect: rejected: expected pointer to STRUCT account__owned but R1 has a pointer to STRUCT account__borrowed
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(write_borrowed, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	ufunc_write_account_balance(a, 1000000);
	ufunc_put_account(a);
	return 0;
}
