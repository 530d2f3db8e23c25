// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Holds an object while it calls what never comes back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct thing {
	int a;
};

extern struct thing *thing_new(void) __ksym;
extern void thing_free(struct thing *thing) __ksym;
extern int leave(int value) __ksym;

SEC("uprobe/leaves:work")
int leaves(void *ctx)
{
	struct thing *thing = thing_new();

	if (!thing)
		return 0;
	leave(1);
	thing_free(thing);
	return 0;
}
