// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Who calls: at the first instruction of a function, the top of the stack is the address that it
 * will return to. (On x86; elsewhere it is in a register.)
 *
 * expect: accepted
 * host: locals
 * echoes: reduced() returns to 0x
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/locals:reduced")
int BPF_UPROBE(return_address)
{
	unsigned long address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)PT_REGS_SP(ctx));
	bpf_printk("reduced() returns to 0x%lx", address);
	return 0;
}
