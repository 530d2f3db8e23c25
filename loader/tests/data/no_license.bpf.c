// SPDX-License-Identifier: MIT OR Apache-2.0
/* Says nothing of its license: one program needs none. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("uprobe")
int needs_one(void *ctx)
{
	int value = 0;

	bpf_probe_read_user(&value, sizeof(value), ctx);
	return value;
}

SEC("uprobe")
int needs_none(void *ctx)
{
	return 0;
}
