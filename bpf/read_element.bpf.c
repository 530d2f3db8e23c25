// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Adds up amounts at indices that are known only at run time: the kernel lets nobody do so through a
 * typed pointer, so the host's policy grants the array. Beyond its end there is nothing but zeros.
 *
 * host: granted
 * expect: accepted
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(read_element, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);
	int i, length, sum = 0;

	if (!a)
		return 0;
	length = a->history->length;
#pragma clang loop unroll(disable)
	for (i = 1; i <= 8; i++)
		sum += ufunc_read_account_history_amounts(a, length - i);
	bpf_printk("sum %d text %c%c end %d", sum, ufunc_read_account_history_last_text(a, 0),
		   ufunc_read_account_history_last_text(a, 6),
		   ufunc_read_account_history_last_text(a, 1000));
	ufunc_put_account(a);
	return 0;
}
