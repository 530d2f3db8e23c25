// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads the argument of a function of a host that lends nothing. Where `c` is, the host's BTF says:
 * the same object also reads the right field in btf-base-new, where `c` has moved.
 *
 * expect: accepted
 * host: btf-base
 * prints: add_test: 1 + 3 = 4
 * host: btf-base-new
 * attach: --func add_test
 * prints: add_test: 1 + 3 = 4
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The fields that are needed; those of the host that are not may be left out. */
struct data {
	int a;
	int c;
} __attribute__((preserve_access_index));

SEC("uprobe/examples/btf-base:add_test")
int BPF_UPROBE(add_test, struct data *d)
{
	int a = 0, c = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&c, sizeof(c), &d->c);
	bpf_printk("add_test: %d + %d = %d", a, c, a + c);
	return 0;
}
