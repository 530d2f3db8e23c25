// SPDX-License-Identifier: MIT OR Apache-2.0
/* A map that libbpf pins when it loads the object. */
#include "host.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} ufunc_test_pinned SEC(".maps");

SEC("uprobe")
int counts(void *ctx)
{
	int key = 0;
	long *counter = bpf_map_lookup_elem(&ufunc_test_pinned, &key);

	if (counter)
		*counter += 1;
	return 0;
}
