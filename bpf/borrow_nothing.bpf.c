// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Borrows accounts where there are none: nowhere, on the first page, where no address is, and so near
 * the end of the address space that no account fits. Each time there is NULL, and nothing happens to
 * the host.
 *
 * host: granted
 * expect: accepted
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline int is_there(unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);

	if (!a)
		return 0;
	ufunc_write_account_limit(a, 9);
	ufunc_put_account(a);
	return 1;
}

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_nothing, unsigned long long address)
{
	bpf_printk("there: %d nowhere: %d %d %d %d", is_there(address), is_there(0), is_there(8),
		   is_there(1ULL << 63), is_there(-8ULL));
	return 0;
}
