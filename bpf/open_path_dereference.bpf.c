// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Second attempt: the registers of the system call are read as in plain C. To the verifier their
 * address is a number, and where it leads nobody knows.
 *
 * host: btf-base
 * expect: rejected: invalid mem access 'scalar' | invalid mem access 'inv'
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("raw_tracepoint/sys_enter")
int open_path_dereference(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	const char *path;
	char text[64];

	if (ctx->args[1] != SYSCALL_OPENAT)
		return 0;
	path = (const char *)regs->si;
	bpf_probe_read_user_str(text, sizeof(text), path);
	return 0;
}
