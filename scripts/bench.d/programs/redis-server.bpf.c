// SPDX-License-Identifier: MIT OR Apache-2.0
/* Which client asks for what. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs {
	unsigned long di;
} __attribute__((preserve_access_index));

struct client {
	unsigned long id;
	int argc;
} __attribute__((preserve_access_index));

SEC("uprobe/redis-server:processCommand")
int process_command(struct pt_regs *ctx)
{
	struct client *client = (void *)ctx->di;
	unsigned long id = 0;
	int argc = 0;

	bpf_probe_read_user(&id, sizeof(id), &client->id);
	bpf_probe_read_user(&argc, sizeof(argc), &client->argc);
	return id + argc;
}

char LICENSE[] SEC("license") = "GPL";
