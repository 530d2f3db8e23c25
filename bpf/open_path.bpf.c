// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Which files a process opens. A path may be longer than the stack is large, so it goes into a
 * per-CPU array; the index of the last write is bounded where it is used.
 *
 * expect: accepted
 * host: btf-base
 * prints: open_path: /etc/ld.so.cache
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[PATH_MAX]);
} paths SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int open_path(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u32 key = 0;
	char *path;
	int length;

	if (ctx->args[1] != SYSCALL_OPENAT || !is_host())
		return 0;
	path = bpf_map_lookup_elem(&paths, &key);
	if (!path)
		return 0;
	length = bpf_probe_read_user_str(path, PATH_MAX, (void *)PT_REGS_PARM2_CORE_SYSCALL(regs));
	if (length <= 0)
		return 0;
	path[(length - 1) & (PATH_MAX - 1)] = '\0';
	bpf_printk("open_path: %s", path);
	return 0;
}
