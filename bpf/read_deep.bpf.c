// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Follows two pointers in the host's memory to what they lead to. Each step is a copy that may
 * fail; all offsets are the host's own.
 *
 * expect: accepted
 * host: btf-base-complete
 * prints: read_deep: a 100, b[3] p
 */
#include "uprobe.h"
#include "btf_base_complete.h"
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/btf-base-complete:add_test")
int BPF_UPROBE(read_deep, struct data *d)
{
	char b[sizeof(((struct deep_memory_block *)0)->b)];
	int a = BPF_CORE_READ_USER(d, inner, deep, a);

	BPF_CORE_READ_USER_INTO(&b, d, inner, deep, b);
	bpf_printk("read_deep: a %d, b[3] %c", a, b[3]);
	return 0;
}
