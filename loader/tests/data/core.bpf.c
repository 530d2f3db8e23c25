// SPDX-License-Identifier: MIT OR Apache-2.0
/* A member that no type of the kernel has, in one of two programs. */
#include "host.h"

struct host_data_nobody_has {
	int a;
	int e;
} __attribute__((preserve_access_index));

SEC("uprobe")
int missing_member(void *ctx)
{
	struct host_data_nobody_has *data = ctx;
	int e = 0;

	bpf_probe_read_user(&e, sizeof(e), &data->e);
	return e;
}

SEC("uprobe")
int without(void *ctx)
{
	return 0;
}
