// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Third attempt: the path is ended where the length says. The length has been in a map meanwhile, so
 * that the verifier no longer knows how large it can be.
 *
 * host: btf-base
 * expect: rejected: unbounded memory access | pointer offset
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct decoded_path {
	__s64 length;
	char text[PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decoded_path);
} paths SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int open_path_unbounded(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	struct decoded_path *path;
	__u32 key = 0;
	__s64 length;

	if (ctx->args[1] != SYSCALL_OPENAT)
		return 0;
	path = bpf_map_lookup_elem(&paths, &key);
	if (!path)
		return 0;
	path->length = bpf_probe_read_user_str(path->text, sizeof(path->text),
					       (void *)PT_REGS_PARM2_CORE_SYSCALL(regs));
	length = *(volatile __s64 *)&path->length;
	if (length > 0)
		path->text[length - 1] = '\0';
	return 0;
}
