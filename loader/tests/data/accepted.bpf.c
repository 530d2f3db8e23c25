// SPDX-License-Identifier: MIT OR Apache-2.0
/* Two programs that the verifier takes; libbpf does not load the second one by default. */
#include "host.h"

SEC("uprobe")
int first(void *ctx)
{
	return 0;
}

SEC("?uprobe/./app:work")
int second(void *ctx)
{
	return bpf_get_smp_processor_id() > 1000;
}
