// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A function that sleeps, called by a program that may.
 *
 * host: guestbook
 * expect: accepted
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe.s/examples/guestbook:greet")
int BPF_UPROBE(settle_sleepable)
{
	settle();
	return 0;
}
