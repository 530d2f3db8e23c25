// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Borrows an account and never puts it back.
 *
 * host: granted
 * expect: rejected: Unreleased reference
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_leak, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	return a->limit;
}
