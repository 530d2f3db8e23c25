// SPDX-License-Identifier: MIT OR Apache-2.0
/* Without CO-RE: the context and the struct are as this file has them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs {
	unsigned long others[14];
	unsigned long di;
};

struct data {
	int a;
	int c;
};

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
