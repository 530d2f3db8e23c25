// SPDX-License-Identifier: MIT OR Apache-2.0
#include "uprobe.h"
#include "btf_base_complete.h"
char LICENSE[] SEC("license") = "Dual MIT/GPL";
SEC("uprobe")
int null_literal(void *ctx)
{
	my_free_data((void *)0);
	return 0;
}
