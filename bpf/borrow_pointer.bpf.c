// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Borrows an account of its own: a borrow takes addresses, which are numbers, so that nobody comes by a
 * view of what is released a moment later.
 *
 * host: granted
 * expect: rejected: is not a scalar
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_pointer)
{
	struct account *own = account_open(), *view;

	if (!own)
		return 0;
	view = ufunc_borrow_account((unsigned long long)own);
	if (view)
		ufunc_put_account(view);
	account_close(own);
	return 0;
}
