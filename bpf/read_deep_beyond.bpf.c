// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The same, but looks for element 100 in the copy of an array of 10: that is far outside of the
 * program's own stack.
 *
 * host: btf-base-complete
 * expect: rejected: invalid read from stack
 */
#include "uprobe.h"
#include "btf_base_complete.h"
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(read_deep_beyond, struct data *d)
{
	/* What the macro gives is a copy on the stack, and decays to a pointer to it. */
	char *b = BPF_CORE_READ_USER(d, inner, deep, b);

	bpf_printk("read_deep_beyond: b[100] %c", b[100]);
	return 0;
}
