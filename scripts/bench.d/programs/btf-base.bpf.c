// SPDX-License-Identifier: MIT OR Apache-2.0
/* The same with CO-RE. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs {
	unsigned long di;
} __attribute__((preserve_access_index));

struct data {
	int a;
	int c;
} __attribute__((preserve_access_index));

SEC("uprobe/btf-base:add_test")
int add_test(struct pt_regs *ctx)
{
	struct data *d = (void *)ctx->di;
	int a = 0, c = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&c, sizeof(c), &d->c);
	return a + c;
}

char LICENSE[] SEC("license") = "GPL";
