// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Looks at a borrowed account without asking whether there is one: the address is whatever the probed
 * function was given.
 *
 * host: granted
 * expect: rejected: invalid mem access 'ptr_or_null_' | invalid mem access 'trusted_ptr_or_null_'
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_no_check, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);
	int limit = a->limit;

	if (a)
		ufunc_put_account(a);
	return limit;
}
