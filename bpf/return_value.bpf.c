// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What a function of the host returns, where it returns.
 *
 * expect: accepted
 * host: btf-base
 * prints: return_value: 4
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uretprobe/examples/btf-base:add_test")
int BPF_URETPROBE(return_value, int result)
{
	bpf_printk("return_value: %d", result);
	return 0;
}
