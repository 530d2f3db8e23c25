// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Takes the argument of the probed function for an account as it is, without borrowing it.
 *
 * host: granted
 * expect: rejected: must point to scalar, or struct with scalar | R1 is scalar expected STRUCT account
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_argument, struct account *account)
{
	ufunc_write_account_limit(account, 9);
	return 0;
}
