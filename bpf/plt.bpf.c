// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A function of a library, but only where this host calls it: the probe is on the host's own entry
 * in the procedure linkage table, and no other process is slowed down.
 *
 * expect: accepted
 * host: locals
 * prints: plt: getenv(UFUNC_REDUCTION)
 */
#include "uprobe.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe/examples/locals:getenv")
int BPF_UPROBE(plt, const char *name)
{
	char text[32];

	if (bpf_probe_read_user_str(text, sizeof(text), name) < 0)
		return 0;
	bpf_printk("plt: getenv(%s)", text);
	return 0;
}
