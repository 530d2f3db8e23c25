// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Sets a field of an account that it has put back already.
 *
 * host: granted
 * expect: rejected: must point to scalar, or struct with scalar | R1 is scalar expected STRUCT account
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(write_after_put, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	ufunc_put_account(a);
	ufunc_write_account_limit(a, 9);
	return 0;
}
