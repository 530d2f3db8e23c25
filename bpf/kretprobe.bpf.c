// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What a function of the kernel returns: the first file that a process opens becomes its number 3.
 *
 * expect: accepted
 * host: btf-base
 * prints: kretprobe: 3
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kretprobe/do_sys_openat2")
int BPF_KRETPROBE(kretprobe, long result)
{
	if (is_host())
		bpf_printk("kretprobe: %ld", result);
	return 0;
}
