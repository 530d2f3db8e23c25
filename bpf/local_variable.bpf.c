// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A local variable of a function, after the line that changes it. Where that is in the function and
 * in its frame is for the compiler to say: objdump -S examples/locals.
 *
 * expect: accepted
 * host: locals
 * attach: --func reduced+{offset of "return sum"}
 * prints: local_variable: sum is 92
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The only variable of the frame, compiled without optimisation. */
#define SUM_BELOW_FRAME 4

SEC("uprobe")
int BPF_UPROBE(local_variable)
{
	int sum = 0;

	bpf_probe_read_user(&sum, sizeof(sum), (void *)(PT_REGS_FP(ctx) - SUM_BELOW_FRAME));
	bpf_printk("local_variable: sum is %d", sum);
	return 0;
}
