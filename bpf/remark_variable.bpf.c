// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The kind of a remark has to stand in the code.
 *
 * host: guestbook
 * expect: rejected: must be a known constant
 */
#include "uprobe.h"
#include "guestbook.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/guestbook:greet")
int BPF_UPROBE(remark_variable)
{
	remark(NULL, bpf_get_smp_processor_id());
	return 0;
}
