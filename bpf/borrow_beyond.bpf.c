// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads beyond an array, two pointers away from what it borrowed: text has ten characters.
 *
 * host: granted
 * expect: rejected: access beyond struct receipt
 */
#include "uprobe.h"
#include "granted.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/granted:deposit")
int BPF_UPROBE(borrow_beyond, unsigned long long address)
{
	struct account *a = ufunc_borrow_account(address);
	const char *text;
	int character;

	if (!a)
		return 0;
	text = a->history->last->text;
	character = text[100];
	ufunc_put_account(a);
	return character;
}
