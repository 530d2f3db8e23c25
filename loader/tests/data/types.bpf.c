// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs for types.c, and one for the kernel, which read structs of the same name. */
#include "host.h"
#include <bpf/bpf_core_read.h>

struct file {
	unsigned int f_flags;
	int written;
	int missing;
} __attribute__((preserve_access_index));

struct host_data_nobody_has {
	int a;
} __attribute__((preserve_access_index));

enum mode { MODE_OFF, MODE_BOTH = 7 };

SEC("uprobe/./types:flags")
int of_application(void *ctx)
{
	struct file *file = ctx;
	unsigned int flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), &file->f_flags);
	return flags;
}

SEC("raw_tracepoint/sys_enter")
int of_kernel(void *ctx)
{
	struct file *file = ctx;
	unsigned int flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), &file->f_flags);
	return flags;
}

/* Of an anonymous union. */
SEC("uretprobe")
int anonymous(void *ctx)
{
	struct file *file = ctx;
	int written = 0;

	bpf_probe_read_user(&written, sizeof(written), &file->written);
	return written;
}

SEC("uprobe")
int missing_member(void *ctx)
{
	struct file *file = ctx;
	int missing = 0;

	bpf_probe_read_user(&missing, sizeof(missing), &file->missing);
	return missing;
}

SEC("uprobe")
int missing_type(void *ctx)
{
	struct host_data_nobody_has *data = ctx;
	int a = 0;

	bpf_probe_read_user(&a, sizeof(a), &data->a);
	return a;
}

SEC("uprobe")
int missing_value(void *ctx)
{
	return bpf_core_enum_value(enum mode, MODE_BOTH);
}
