// SPDX-License-Identifier: MIT OR Apache-2.0
/* One program for each kind of thing that a policy may not allow, and for each way of hiding it. */
#include "host.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern const void bpf_prog_active __ksym __weak;

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, long);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, long);
} counts SEC(".maps");

/* No program names it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner);
} unused SEC(".maps");

/* A global variable is no map. */
long hits;

SEC("uprobe/./app:work")
int plain(void *ctx)
{
	hits++;
	return 0;
}

SEC("uprobe/./app:work")
int helper(void *ctx)
{
	hits += bpf_ktime_get_ns();
	return 0;
}

static __attribute__((noinline)) long below(long number)
{
	if (number == 0)
		return 0;
	return bpf_get_smp_processor_id() + number;
}

SEC("uprobe/./app:work")
int in_subprogram(void *ctx)
{
	return below(hits);
}

static long each(__u32 index, void *data)
{
	hits += bpf_get_prandom_u32();
	return 0;
}

SEC("uprobe/./app:work")
int in_callback(void *ctx)
{
	bpf_loop(3, each, 0, 0);
	return 0;
}

SEC("uprobe/./app:work")
int map(void *ctx)
{
	__u32 key = 1;
	long *count = bpf_map_lookup_elem(&counts, &key);

	if (count)
		hits += *count;
	return 0;
}

SEC("uprobe/./app:work")
int function(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("uprobe/./app:work")
int variable(void *ctx)
{
	return (long)&bpf_prog_active >> 63;
}

SEC("uretprobe/./app:work")
int elsewhere(void *ctx)
{
	return 0;
}

SEC("uprobe")
int anywhere(void *ctx)
{
	return 0;
}
