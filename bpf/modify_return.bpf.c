// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * On a function of the kernel whose result a program may change (fmod_ret): sees each file that the
 * host opens, and leaves the decision to the kernel.
 *
 * expect: accepted
 * host: btf-base
 * prints: modify_return: btf-base opens a file
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("fmod_ret/security_file_open")
int BPF_PROG(modify_return, struct file *file, int ret)
{
	char name[16] = {};

	bpf_get_current_comm(name, sizeof(name));
	if (ret == 0 && bpf_strncmp(name, sizeof(name), "btf-base") == 0)
		bpf_printk("modify_return: %s opens a file", name);
	return ret;
}
