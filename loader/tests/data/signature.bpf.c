// SPDX-License-Identifier: MIT OR Apache-2.0
/* A kfunc of the kernel, declared with an argument that it does not have. */
#include "host.h"

extern void bpf_rcu_read_lock(int level) __ksym;

SEC("uprobe")
int other_signature(void *ctx)
{
	bpf_rcu_read_lock(1);
	return 0;
}
