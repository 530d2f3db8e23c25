// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Programs in an application and on the kernel's hooks, which share maps and global data. The
 * application has a struct of the kernel's name: each means its own. A program array has targets.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct data {
	int a;
	int c;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

int in_application;
int in_kernel;
int called;
int tgid;
const volatile int is_watched = 1;

int target(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(int));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = {[1] = (void *)&target},
};

SEC("uprobe/attach_host:add_test")
int application(struct pt_regs *ctx)
{
	struct data *d = (void *)PT_REGS_PARM1(ctx);
	int c = 0;

	bpf_probe_read_user(&c, sizeof(c), &d->c);
	if (is_watched && c == 3)
		__sync_fetch_and_add(&in_application, 1);
	tgid = bpf_get_current_pid_tgid() >> 32;
	bpf_tail_call(ctx, &targets, 1);
	return 0;
}

SEC("uprobe")
int target(void *ctx)
{
	__sync_fetch_and_add(&called, 1);
	return 0;
}

SEC("raw_tp/sys_enter")
int kernel(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (is_watched && tgid && BPF_CORE_READ(task, tgid) == tgid)
		__sync_fetch_and_add(&in_kernel, 1);
	return 0;
}
