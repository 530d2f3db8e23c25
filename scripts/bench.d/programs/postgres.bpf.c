// SPDX-License-Identifier: MIT OR Apache-2.0
/* Where in its text a planned statement is. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs {
	unsigned long di;
} __attribute__((preserve_access_index));

struct PlannedStmt {
	int jitFlags;
	int stmt_location;
} __attribute__((preserve_access_index));

struct QueryDesc {
	struct PlannedStmt *plannedstmt;
} __attribute__((preserve_access_index));

SEC("uprobe/postgres:standard_ExecutorStart")
int executor_start(struct pt_regs *ctx)
{
	struct QueryDesc *query = (void *)ctx->di;
	struct PlannedStmt *statement = 0;
	int location = 0;

	bpf_probe_read_user(&statement, sizeof(statement), &query->plannedstmt);
	bpf_probe_read_user(&location, sizeof(location), &statement->stmt_location);
	return location;
}

char LICENSE[] SEC("license") = "GPL";
