// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * add_test without CO-RE: `c` is where this file says. That fits btf-base; in btf-base-new there is
 * another field, and the sum is wrong without anybody noticing.
 *
 * expect: accepted
 * host: btf-base
 * prints: no_core: 1 + 3 = 4
 * host: btf-base-new
 * attach: --func add_test
 * prints: no_core: 1 + 2 = 3
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* No preserve_access_index: offsets are those of this declaration. */
struct data {
	int a;
	int c;
	int d;
};

SEC("uprobe/examples/btf-base:add_test")
int BPF_UPROBE(no_core, struct data *d)
{
	int a = 0, c = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&c, sizeof(c), &d->c);
	bpf_printk("no_core: %d + %d = %d", a, c, a + c);
	return 0;
}
