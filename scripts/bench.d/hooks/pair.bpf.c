// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Acquires an object of the application and releases it: what is measured beside the same in C. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct data {
	int a, b, c, d;
};

extern struct data *bench_new_data(void) __ksym;
extern void bench_free_data(struct data *d) __ksym;

__u64 sum = 0;

SEC("uprobe")
int pair(struct pt_regs *ctx)
{
	struct data *own = bench_new_data();

	if (!own)
		return 0;
	sum += own->a;
	bench_free_data(own);
	return 0;
}
