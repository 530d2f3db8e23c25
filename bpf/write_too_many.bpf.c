// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Eight bytes are there, and the host would read eighty.
 *
 * host: guestbook
 * expect: rejected: memory, len pair leads to invalid memory access
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(write_too_many)
{
	char own[8] = {};

	write_bytes(own, 80);
	return 0;
}
