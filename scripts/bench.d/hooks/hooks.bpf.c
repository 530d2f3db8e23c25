// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The programs that are measured on a function: in the kernel, and inside the application. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct data {
	int a, b, c, d;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* A line of the cache for each processor. */
struct line {
	__u64 count;
	char rest[56];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct line);
} lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} each SEC(".maps");

__u64 sum = 0;
__u64 calls = 0;

SEC("uprobe")
int empty(struct pt_regs *ctx)
{
	return 0;
}

SEC("uretprobe")
int empty_return(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe")
int counter(struct pt_regs *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

SEC("uprobe")
int array(struct pt_regs *ctx)
{
	__u32 key = bpf_get_smp_processor_id() & 63;
	struct line *line = bpf_map_lookup_elem(&lines, &key);

	if (line)
		line->count++;
	return 0;
}

SEC("uprobe")
int percpu(struct pt_regs *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&each, &key);

	if (count)
		++*count;
	return 0;
}

static int field_of(struct pt_regs *ctx)
{
	struct data *d = (void *)PT_REGS_PARM1(ctx);
	int a = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	return a;
}

SEC("uprobe")
int field(struct pt_regs *ctx)
{
	sum += field_of(ctx);
	return 0;
}

SEC("uprobe")
int field_atomic(struct pt_regs *ctx)
{
	__sync_fetch_and_add(&sum, field_of(ctx));
	return 0;
}

SEC("uprobe")
int hash(struct pt_regs *ctx)
{
	__u64 value = ++calls;
	__u32 key = value % 512;

	bpf_map_update_elem(&seen, &key, &value, BPF_ANY);
	return 0;
}

SEC("uprobe")
int event(struct pt_regs *ctx)
{
	struct {
		__u64 words[8];
	} *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return 0;
	record->words[0] = ++calls;
	for (int i = 1; i < 8; i++)
		record->words[i] = i;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
