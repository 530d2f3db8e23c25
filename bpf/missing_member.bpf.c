// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Reads a member that the host's struct does not have: there is no offset to be fitted to, and the
 * program is refused before the kernel looks at the rest of it.
 *
 * host: btf-base
 * expect: rejected: struct data.e
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct data {
	int a;
	int e;
} __attribute__((preserve_access_index));

SEC("uprobe/examples/btf-base:add_test")
int BPF_UPROBE(missing_member, struct data *d)
{
	int a = 0, e = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&e, sizeof(e), &d->e);
	bpf_printk("missing_member: %d + %d", a, e);
	return 0;
}
