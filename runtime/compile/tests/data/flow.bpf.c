// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What libbpf prepares: global data, a map, functions and callbacks. The kernel runs it, and so do
 * we.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct bpf_map;

struct args {
	__u64 a, b, n, out[5];
};

struct sum {
	__u64 total, last;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

const volatile __u64 factors[4] = {3, 5, 7, 11};
__u64 seeded = 77;
__u64 total;
__u32 rounds;
char name[16] = "flow";

static __noinline __u64 mix(__u64 a, __u64 b, int round)
{
	volatile __u64 local[8] = {a, b, a ^ b, a + b, a - b, a * b, round, 1};
	__u64 sum = 0;

	for (int i = 0; i < 8; i++)
		sum = sum * 31 + local[i];
	return sum;
}

static long step(__u32 i, struct sum *sum)
{
	sum->total += mix(sum->total, factors[i & 3], i);
	sum->last = i;
	__sync_fetch_and_add(&total, i);
	return sum->total % 17 == 3;
}

static long each(struct bpf_map *map, __u32 *key, __u64 *value, struct sum *sum)
{
	*value += *key * seeded;
	sum->total ^= *value;
	return *key == 6;
}

SEC("syscall")
int flow(struct args *ctx)
{
	struct sum sum = {.total = ctx->a};
	__u32 key = ctx->b & 7;
	__u64 *value;

	ctx->out[0] = bpf_loop(ctx->n & 31, step, &sum, 0);
	ctx->out[1] = sum.total;
	value = bpf_map_lookup_elem(&numbers, &key);
	if (value) {
		__sync_fetch_and_add(value, sum.total);
		ctx->out[2] = *value;
	}
	ctx->out[3] = bpf_for_each_map_elem(&numbers, each, &sum, 0);
	ctx->out[4] = sum.total + sum.last;
	seeded = mix(seeded, ctx->b, 3);
	rounds++;
	name[ctx->n & 15] ^= key;
	return sum.total;
}
