// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs for the hosts in /examples: their `c` is not always at the same offset. */
#include "host.h"

struct data {
	int a;
	int c;
	int e;
} __attribute__((preserve_access_index));

SEC("uprobe/./btf-base:add_test")
int add_test(void *ctx)
{
	struct data *d = ctx;
	int a = 0, c = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&c, sizeof(c), &d->c);
	return a + c;
}

SEC("uprobe/./btf-base:add_test")
int missing_member(void *ctx)
{
	struct data *d = ctx;
	int e = 0;

	bpf_probe_read_user(&e, sizeof(e), &d->e);
	return e;
}
