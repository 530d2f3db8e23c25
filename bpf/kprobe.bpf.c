// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The argument of a function of the kernel, as a number in a register. Such functions come and go
 * with kernels; a tracepoint stays.
 *
 * expect: accepted
 * host: btf-base
 * prints: kprobe: /etc/ld.so.cache
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(kprobe, int folder, const char *path)
{
	char text[64];

	if (!is_host() || bpf_probe_read_user_str(text, sizeof(text), path) < 0)
		return 0;
	bpf_printk("kprobe: %s", text);
	return 0;
}
