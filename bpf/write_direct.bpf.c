// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Sets a field of a borrowed account by itself, past the function that was granted for it.
 *
 * host: granted
 * expect: rejected: only read is supported
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(write_direct, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	a->limit = 9;
	ufunc_put_account(a);
	return 0;
}
