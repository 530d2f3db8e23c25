// SPDX-License-Identifier: MIT OR Apache-2.0
/* A map that no kernel creates. */
#include "host.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << 30);
	__uint(key_size, 4);
	__uint(value_size, 1 << 20);
} huge SEC(".maps");

SEC("uprobe")
int uses_it(void *ctx)
{
	int key = 0;

	return bpf_map_lookup_elem(&huge, &key) != 0;
}
