// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs for layouts.c and layouts_library.c. */
#include "host.h"
#include <bpf/bpf_core_read.h>

struct conn {
	int id;
} __attribute__((preserve_access_index));

typedef struct {
	int state;
} __attribute__((preserve_access_index)) state_t;

SEC("uprobe/./layouts:handle_small")
int small(void *ctx)
{
	return bpf_core_field_offset(struct conn, id) + bpf_core_field_offset(state_t, state);
}

SEC("uprobe/./layouts:handle_large+4")
int large(void *ctx)
{
	return bpf_core_field_offset(struct conn, id) + bpf_core_field_offset(state_t, state);
}

SEC("uprobe")
int anywhere(void *ctx)
{
	return bpf_core_field_offset(struct conn, id) + bpf_core_field_offset(state_t, state);
}

SEC("uprobe/liblayouts.so.1:in_library")
int library(void *ctx)
{
	return bpf_core_field_offset(struct conn, id);
}
