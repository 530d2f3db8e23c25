// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Freezes an account of its own, which is granted for the host's accounts only.
 *
 * host: granted
 * expect: rejected: expected pointer to STRUCT account__borrowed but R1 has a pointer to STRUCT account__owned
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(write_owned)
{
	struct account *a = account_open();

	if (!a)
		return 0;
	ufunc_write_account_frozen(a, 1);
	account_close(a);
	return 0;
}
