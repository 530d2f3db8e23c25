// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The host prints the extension's strings: literals, which nothing can change, so that the
 * verifier knows where they end.
 *
 * host: guestbook
 * expect: accepted
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static const char constant[] = "from a constant";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(say_string)
{
	say(1, "from a literal");
	say(2, constant);
	return 0;
}
