// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Closes an account that it only borrowed: the host still needs it.
 *
 * host: granted
 * expect: rejected: expected pointer to STRUCT account__owned but R1 has a pointer to STRUCT account__borrowed
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_close, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (a)
		account_close(a);
	return 0;
}
