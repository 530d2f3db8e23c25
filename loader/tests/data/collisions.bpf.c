// SPDX-License-Identifier: MIT OR Apache-2.0
/* A program for collisions.c, and one for the kernel, in one object. */
#include "host.h"
#include <bpf/bpf_core_read.h>

struct pt_regs {
	unsigned long di;
} __attribute__((preserve_access_index));

struct list_head {
	struct list_head *next;
} __attribute__((preserve_access_index));

struct request {
	int tag;
} __attribute__((preserve_access_index));

struct file {
	unsigned int f_flags;
} __attribute__((preserve_access_index));

struct stat {
	int st_mode;
} __attribute__((preserve_access_index));

struct connection {
	int id;
} __attribute__((preserve_access_index));

/* The kernel's only. */
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

SEC("uprobe/./collisions:handle")
int user(struct pt_regs *ctx)
{
	return bpf_core_field_offset(struct request, tag) +
	       bpf_core_field_offset(struct file, f_flags) +
	       bpf_core_field_offset(struct stat, st_mode) +
	       bpf_core_field_offset(struct connection, id);
}

SEC("uprobe/./collisions:handle")
int context(struct pt_regs *ctx)
{
	return ctx->di != 0;
}

SEC("uprobe/./collisions:handle")
int both(struct pt_regs *ctx)
{
	return bpf_core_field_offset(struct task_struct, pid) +
	       bpf_core_field_offset(struct request, tag);
}

/* The number by which the kernel knows its type, and a type of the application. */
SEC("uprobe/./collisions:handle")
int ids(struct pt_regs *ctx)
{
	return bpf_core_type_id_kernel(struct task_struct) +
	       bpf_core_field_offset(struct request, tag);
}

SEC("raw_tracepoint/sys_enter")
int of_kernel(void *ctx)
{
	return bpf_core_field_offset(struct request, tag) +
	       bpf_core_field_offset(struct file, f_flags);
}
