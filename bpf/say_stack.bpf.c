// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A string on the stack may be changed, or end nowhere: a function that wants a string takes none
 * such. One that wants bytes does.
 *
 * host: guestbook
 * expect: rejected: doesn't point to a const string
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(say_stack)
{
	char message[8] = "changes";

	say(1, message);
	return 0;
}
