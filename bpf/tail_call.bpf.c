// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Goes on in another program and does not come back. Which one stands in an array of programs; if
 * the place is empty, the first program simply goes on.
 *
 * expect: accepted
 * host: btf-base
 * prints: tail_call: in the second program
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

int second(struct pt_regs *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct pt_regs *));
} programs SEC(".maps") = {
	.values = {second},
};

SEC("uprobe")
int second(struct pt_regs *ctx)
{
	bpf_printk("tail_call: in the second program");
	return 0;
}

SEC("uprobe/examples/btf-base:add_test")
int tail_call(struct pt_regs *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	bpf_printk("tail_call: nothing to go on in");
	return 0;
}
