// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs for types.c that have mistyped its names. */
#include "host.h"
#include <bpf/bpf_core_read.h>

struct flie {
	unsigned int f_flags;
} __attribute__((preserve_access_index));

struct mode {
	int value;
} __attribute__((preserve_access_index));

SEC("uprobe")
int transposed(void *ctx)
{
	return bpf_core_field_offset(struct flie, f_flags);
}

SEC("uprobe")
int other_kind(void *ctx)
{
	return bpf_core_field_offset(struct mode, value);
}
