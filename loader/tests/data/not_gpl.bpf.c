// SPDX-License-Identifier: MIT OR Apache-2.0
/* A program that says it is not under the GPL, and calls what is for such programs only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Proprietary";

SEC("uprobe")
int not_gpl(void *ctx)
{
	char byte;

	bpf_probe_read_user(&byte, 1, ctx);
	return byte;
}
