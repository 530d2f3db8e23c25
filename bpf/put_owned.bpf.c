// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Puts back an account of its own as if it were borrowed: nobody would close it.
 *
 * host: granted
 * expect: rejected: expected pointer to STRUCT account__borrowed but R1 has a pointer to STRUCT account__owned
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(put_owned)
{
	struct account *a = account_open();

	if (a)
		ufunc_put_account(a);
	return 0;
}
