// SPDX-License-Identifier: MIT OR Apache-2.0
/* Calls functions that the kernel itself lends. */
#include "host.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC("uprobe")
int calls(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}
