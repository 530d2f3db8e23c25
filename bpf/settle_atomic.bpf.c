// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The same from a program that may not sleep.
 *
 * host: guestbook
 * expect: rejected: program must be sleepable to call sleepable kfunc
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(settle_atomic)
{
	settle();
	return 0;
}
