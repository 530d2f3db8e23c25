// SPDX-License-Identifier: MIT OR Apache-2.0
/* Iterators, and a probe that libbpf's <bpf/usdt.bpf.h> reads the argument of. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct seq_file;
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));
struct bpf_iter_meta {
	struct seq_file *seq;
	unsigned long long session_id;
	unsigned long long seq_num;
} __attribute__((preserve_access_index));
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	static const char format[] = "task %d\n";
	unsigned long long argument;

	if (!task)
		return 0;
	argument = task->pid;
	bpf_seq_printf(ctx->meta->seq, format, sizeof(format), &argument, sizeof(argument));
	return 0;
}

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *map;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

SEC("iter/bpf_map_elem")
int elements(struct bpf_iter__bpf_map_elem *ctx)
{
	int *value = ctx->value;
	static const char format[] = "first %d\n";
	unsigned long long argument;

	if (!value)
		return 0;
	argument = *value;
	bpf_seq_printf(ctx->meta->seq, format, sizeof(format), &argument, sizeof(argument));
	return 0;
}

SEC("usdt/attach_host:attach_host:work")
int BPF_USDT(work, int number)
{
	bpf_printk("work on %d", number);
	return 0;
}
