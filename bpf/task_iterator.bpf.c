// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Goes through all tasks, once each time that somebody reads the iterator, and writes a line for
 * each one of the host's.
 *
 * expect: accepted
 * host: btf-base
 * outputs: task_iterator: btf-base
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("iter/task")
int task_iterator(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char name[16] = {};

	if (!task)
		return 0;
	bpf_probe_read_kernel(name, sizeof(name), task->comm);
	if (bpf_strncmp(name, sizeof(name), "btf-base") == 0)
		BPF_SEQ_PRINTF(ctx->meta->seq, "task_iterator: %s %d\n", name, task->pid);
	return 0;
}
