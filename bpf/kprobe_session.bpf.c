// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * One program at both ends of a function of the kernel (kprobe.session): the host opens a file.
 *
 * expect: accepted
 * host: btf-base
 * prints: kprobe_session: btf-base
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kprobe.session/do_sys_openat2")
int kprobe_session(struct pt_regs *ctx)
{
	char name[16] = {};

	bpf_get_current_comm(name, sizeof(name));
	if (bpf_strncmp(name, sizeof(name), "btf-base") == 0)
		bpf_printk("kprobe_session: %s", name);
	return 0;
}
