// SPDX-License-Identifier: MIT OR Apache-2.0
/* A program of each kind that can be attached, for the host attach_host.c. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct data {
	int a;
	int c;
} __attribute__((preserve_access_index));

enum mood { CALM, EXCITED };

struct event {
	int sum;
	enum mood mood;
	char comm[16];
	unsigned long long cookie;
	unsigned short parts[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* The kernel wants no type here; it is for whoever reads the events. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, int);
	__type(value, struct event);
} perf_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, struct event);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} runs SEC(".maps");

struct event *unused_event __attribute__((unused));

unsigned int counter = 0;

SEC("uprobe/./attach_host:add_test")
int fields(struct pt_regs *ctx)
{
	struct data *d = (void *)PT_REGS_PARM1(ctx);
	int a = 0, c = 0;

	bpf_probe_read_user(&a, sizeof(a), &d->a);
	bpf_probe_read_user(&c, sizeof(c), &d->c);
	bpf_printk("%d + %d = %d", a, c, a + c);
	return 0;
}

SEC("uretprobe/attach_host:add_test")
int returned(struct pt_regs *ctx)
{
	bpf_printk("returned %d", (int)PT_REGS_RC(ctx));
	return 0;
}

SEC("uprobe")
int bare(struct pt_regs *ctx)
{
	bpf_printk("argument %d, cookie %d", (int)PT_REGS_PARM1(ctx),
		   (int)bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("uprobe.s")
int sleepable(struct pt_regs *ctx)
{
	bpf_printk("sleepable %d", (int)PT_REGS_PARM1(ctx));
	return 0;
}

SEC("uprobe.multi/attach_host:add_*")
int several(struct pt_regs *ctx)
{
	bpf_printk("several, cookie %d", (int)bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("uprobe.session/attach_host:add_more")
int session(struct pt_regs *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("uprobe")
int events_of(struct pt_regs *ctx)
{
	struct event event = {.sum = -4, .mood = EXCITED, .parts = {7, 8}};
	int key = 1;

	event.cookie = bpf_get_attach_cookie(ctx);
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	bpf_perf_event_output(ctx, &perf_events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	bpf_map_update_elem(&seen, &key, &event, BPF_ANY);
	return 0;
}

SEC("perf_event")
int sampled(void *ctx)
{
	int key = 0;
	long *run = bpf_map_lookup_elem(&runs, &key);

	if (run)
		*run += 1;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_clock_nanosleep")
int tracepoint(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("raw_tp/sys_enter")
int raw(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("raw_tp")
int raw_bare(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("raw_tp.w/sys_enter")
int raw_writable(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("tp_btf/sys_enter")
int typed(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("kprobe/__x64_sys_getpgid")
int kernel_function(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("kretprobe/__x64_sys_getpgid")
int kernel_return(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("kprobe.multi/__x64_sys_getpg*")
int kernel_functions(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("ksyscall/getpgid")
int syscall(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("fentry/__x64_sys_getpgid")
int entry(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("fexit")
int exit_bare(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("lsm/task_getpgid")
int security(void *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("xdp")
int packets(void *ctx)
{
	return 2;
}
