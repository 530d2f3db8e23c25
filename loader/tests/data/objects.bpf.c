// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * One program for each message of the verifier about objects that are not the program's own. Here
 * they are the kernel's, so that no module is needed; those of an application are treated alike.
 */
#include "host.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup {
	int level;
};

struct task_struct {
	struct task_struct *last_wakee;
	int pid;
	char comm[16];
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *cgroup) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u64 offset, void *buffer,
			      __u64 buffer__szk) __ksym;

volatile long unknown;

SEC("iter/task")
int index_at_run_time(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	return task->comm[unknown & 7];
}

SEC("iter/task")
int beyond_member(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	const char *name;

	if (!task)
		return 0;
	name = task->comm;
	return name[15 + (sizeof(unknown) - 7)];
}

SEC("iter/task")
int beyond_struct(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	return *((char *)task + 100000);
}

SEC("iter/task")
int untrusted_object(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	task = bpf_task_acquire(task->last_wakee);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("iter/task")
int other_struct(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_cgroup_acquire((struct cgroup *)task);
	return 0;
}

SEC("iter/task")
int number_as_object(struct bpf_iter__task *ctx)
{
	bpf_task_release((struct task_struct *)unknown);
	return 0;
}

SEC("iter/task")
int number_as_argument(struct bpf_iter__task *ctx)
{
	struct task_struct *task = bpf_task_acquire((struct task_struct *)unknown);

	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("iter/task")
int own_memory_as_object(struct bpf_iter__task *ctx)
{
	char own[32] = {};
	struct task_struct *task = bpf_task_acquire((struct task_struct *)own);

	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("iter/task")
int write_object(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		task->pid = 1;
	return 0;
}

SEC("iter/task")
int unchecked_object(struct bpf_iter__task *ctx)
{
	return ctx->task->pid;
}

SEC("uprobe")
int length_beyond_memory(void *ctx)
{
	struct bpf_dynptr dynptr;
	char small[8] = {};
	char *slice;

	if (bpf_dynptr_from_mem((void *)&unknown, sizeof(unknown), 0, &dynptr))
		return 0;
	slice = bpf_dynptr_slice(&dynptr, 0, small, 1000);
	return slice ? *slice : 0;
}

SEC("fentry/do_nanosleep")
int path_anywhere(void *ctx)
{
	char text[16];

	return bpf_d_path(ctx, text, sizeof(text));
}

SEC("iter/task")
int beyond_end_of_member(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	return *(volatile long *)&task->pid;
}

SEC("uprobe")
int write_read_only_memory(void *ctx)
{
	struct bpf_dynptr dynptr;
	char *slice;

	if (bpf_dynptr_from_mem((void *)&unknown, sizeof(unknown), 0, &dynptr))
		return 0;
	slice = bpf_dynptr_slice(&dynptr, 0, 0, 8);
	if (slice)
		*slice = 1;
	return 0;
}
