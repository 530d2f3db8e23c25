// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Bytes of the stack, and bytes of a map: a global variable.
 *
 * host: guestbook
 * expect: accepted
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

char shared[8] = {0x10, 0x20};

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(write_buffer)
{
	char own[4] = {1, 2, 3, 4};

	write_bytes(own, sizeof(own));
	shared[0]++;
	write_bytes(shared, 2);
	return 0;
}
