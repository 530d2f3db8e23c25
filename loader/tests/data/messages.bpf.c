// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * One program for each message that the verifier has for extensions that call no ufunc. What it
 * printed on which kernel is in logs/.
 */
#include "host.h"

struct value {
	long count;
	char bytes[56];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct value);
} values SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	long count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

const volatile long read_only = 1;
/* What the verifier knows nothing of. */
volatile long unknown;

static __always_inline struct value *value(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&values, &key);
}

/* Keeps the compiler from seeing where a value came from. */
#define hide(x) asm volatile("" : "+r"(x))

SEC("uprobe")
int infinite_loop(void *ctx)
{
	asm volatile("r1 = 0; if r1 == 0 goto -1" ::: "r1");
	return 0;
}

SEC("uprobe")
int too_large(void *ctx)
{
	long sum = 0;

#pragma clang loop unroll(disable)
	for (long i = 0; i < 100000000; i++)
		sum += unknown;
	return sum;
}

SEC("uprobe")
int too_many_jumps(void *ctx)
{
	asm volatile("r1 = %[unknown] ll;"
		     "r1 = *(u64 *)(r1 + 0);"
		     ".rept 9000;"
		     "if r1 == 7 goto +0;"
		     "r1 += 1;"
		     ".endr;"
		     :
		     : [unknown] "i"(&unknown)
		     : "r1");
	return 0;
}

SEC("uprobe")
int unbounded_minimum(void *ctx)
{
	struct value *v = value();
	long index = unknown;

	if (!v)
		return 0;
	hide(index);
	return v->bytes[index];
}

SEC("uprobe")
int beyond_value(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	hide(v);
	return *((char *)v + 64);
}

SEC("uprobe")
int beyond_value_at_most(void *ctx)
{
	struct value *v = value();
	unsigned long index = unknown;

	if (!v)
		return 0;
	index &= 63;
	hide(index);
	return v->bytes[index];
}

SEC("uprobe")
int negative_index(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	return v->bytes[*(volatile signed char *)&unknown];
}

SEC("uprobe")
int unbounded_index(void *ctx)
{
	struct value *v = value();
	unsigned long index = unknown;

	if (!v || (long)index < 0)
		return 0;
	hide(index);
	return v->bytes[index];
}

SEC("uprobe")
int negative_size(void *ctx)
{
	char bytes[16];
	int size = unknown;

	if (size > 16)
		return 0;
	bpf_probe_read_user(bytes, size, ctx);
	return 0;
}

SEC("uprobe")
int unbounded_size(void *ctx)
{
	char bytes[16];

	bpf_probe_read_user(bytes, *(volatile __u32 *)&unknown, ctx);
	return 0;
}

SEC("uprobe")
int empty_size(void *ctx)
{
	return bpf_trace_printk("", 0);
}

SEC("uprobe")
int number_as_key(void *ctx)
{
	bpf_map_delete_elem(&values, (void *)unknown);
	return 0;
}

SEC("uprobe")
int unchecked_as_key(void *ctx)
{
	bpf_map_delete_elem(&values, value());
	return 0;
}

SEC("uprobe")
int unchecked_arithmetic(void *ctx)
{
	struct value *v = value();

	asm volatile("%[v] += 8" : [v] "+r"(v));
	return v ? v->bytes[0] : 0;
}

SEC("uprobe")
int pointer_product(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	asm volatile("%[v] *= 2" : [v] "+r"(v));
	return v->bytes[0];
}

SEC("uprobe")
int pointer_and(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	asm volatile("%[v] &= 7" : [v] "+r"(v));
	return v->bytes[0];
}

SEC("uprobe")
int pointer_sum(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	asm volatile("%[v] += %[v]" : [v] "+r"(v));
	return v->bytes[0];
}

SEC("uprobe")
int other_helper(void *ctx)
{
	return bpf_skb_load_bytes(ctx, 0, ctx, 1) != 0;
}

SEC("uprobe")
int unknown_helper(void *ctx)
{
	return ((long (*)(void))9999)();
}

SEC("uprobe")
int sleeping_helper(void *ctx)
{
	char byte;

	return bpf_copy_from_user(&byte, 1, (void *)unknown) != 0;
}

SEC("uprobe")
int jump_outside(void *ctx)
{
	asm volatile("goto +100");
	return 0;
}

SEC("uprobe")
int no_exit(void *ctx)
{
	asm volatile("r0 = 0; exit; r0 = 1;");
	__builtin_unreachable();
}

SEC("uprobe")
int beyond_context(void *ctx)
{
	return *(volatile long *)(ctx + 1024);
}

SEC("uprobe")
int write_context(void *ctx)
{
	((volatile long *)ctx)[14] = 0;
	return 0;
}

SEC("uprobe")
int moved_context(void *ctx)
{
	ctx += 8;
	hide(ctx);
	return *(volatile long *)ctx;
}

SEC("uprobe")
int map_of_another_type(void *ctx)
{
	long event = 0;

	return bpf_ringbuf_output(&values, &event, sizeof(event), 0);
}

SEC("uprobe")
int write_read_only(void *ctx)
{
	long *number = (long *)&read_only;

	hide(number);
	*number = 2;
	return 0;
}

SEC("iter/task")
int lock_kept(void *ctx)
{
	__u32 key = 0;
	struct locked *locked = bpf_map_lookup_elem(&locks, &key);

	if (!locked)
		return 0;
	bpf_spin_lock(&locked->lock);
	locked->count++;
	return 0;
}

SEC("iter/task")
int call_under_lock(void *ctx)
{
	__u32 key = 0;
	struct locked *locked = bpf_map_lookup_elem(&locks, &key);

	if (!locked)
		return 0;
	bpf_spin_lock(&locked->lock);
	locked->count = bpf_ktime_get_ns();
	bpf_spin_unlock(&locked->lock);
	return 0;
}

SEC("uprobe")
int probe_takes_lock(void *ctx)
{
	__u32 key = 0;
	struct locked *locked = bpf_map_lookup_elem(&locks, &key);

	if (!locked)
		return 0;
	bpf_spin_lock(&locked->lock);
	bpf_spin_unlock(&locked->lock);
	return 0;
}

SEC("uprobe")
int dynptr_kept(void *ctx)
{
	struct bpf_dynptr event;

	bpf_ringbuf_reserve_dynptr(&events, 8, 0, &event);
	return 0;
}

SEC("uprobe")
int dynptr_missing(void *ctx)
{
	struct bpf_dynptr event;

	bpf_ringbuf_submit_dynptr(&event, 0);
	return 0;
}

struct bpf_iter_num {
	__u64 opaque;
};

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

SEC("uprobe")
int iterator_kept(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	return 0;
}

SEC("uprobe")
int iterator_missing(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("uprobe.session")
int result_out_of_range(void *ctx)
{
	return 7;
}

SEC("uprobe")
int variable_stack(void *ctx)
{
	char bytes[16] = {};
	unsigned long index = unknown;

	hide(index);
	return bytes[index];
}

SEC("uprobe")
int write_beyond_stack(void *ctx)
{
	asm volatile("*(u64 *)(r10 + 8) = r1" ::: "memory");
	return 0;
}

SEC("uprobe")
int callback_result(void *ctx)
{
	return bpf_loop(1 << 24, (void *)unknown, (void *)0, 0);
}

SEC("uprobe")
int context_as_key(void *ctx)
{
	bpf_map_delete_elem(&values, ctx);
	return 0;
}

SEC("uprobe")
int far_away(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	asm volatile("%[v] += 0x1fffffff; %[v] += 0x1fffffff" : [v] "+r"(v));
	return v->bytes[0];
}

SEC("uprobe")
int too_far_away(void *ctx)
{
	struct value *v = value();

	if (!v)
		return 0;
	asm volatile("%[v] += 0x7fffffff" : [v] "+r"(v));
	return v->bytes[0];
}

SEC("uprobe")
int beyond_stack_at_most(void *ctx)
{
	char bytes[16] = {};
	unsigned long index = *(volatile __u8 *)&unknown;

	return bytes[index];
}

SEC("uprobe")
int half_pointer(void *ctx)
{
	asm volatile("w1 += 1" ::: "r1");
	return 0;
}

SEC("uprobe")
int one_load_for_two(void *ctx)
{
	long number;

	asm volatile("r1 = %[ctx];"
		     "r2 = %[unknown] ll;"
		     "r3 = *(u64 *)(r2 + 0);"
		     "if r3 == 0 goto +1;"
		     "r1 = r2;"
		     "%[number] = *(u64 *)(r1 + 0);"
		     : [number] "=r"(number)
		     : [ctx] "r"(ctx), [unknown] "i"(&unknown)
		     : "r1", "r2", "r3");
	return number;
}

SEC("uprobe")
int unaligned_addition(void *ctx)
{
	struct value *v = value();

	if (v)
		__sync_fetch_and_add((long *)(v->bytes + 1), 1);
	return 0;
}

SEC("uprobe")
int iterator_twice(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("uprobe")
int dynptr_not_made(void *ctx)
{
	struct bpf_dynptr event;
	long number;

	return bpf_dynptr_read(&number, sizeof(number), &event, 0, 0);
}

SEC("uprobe")
int moved_event(void *ctx)
{
	char *event = bpf_ringbuf_reserve(&events, 16, 0);

	if (event)
		bpf_ringbuf_submit(event + 8, 0);
	return 0;
}

extern int bpf_copy_from_user_str(void *to, __u32 size, const void *from, __u64 flags) __ksym;

SEC("uprobe")
int sleeping_kfunc(void *ctx)
{
	char text[16];

	return bpf_copy_from_user_str(text, sizeof(text), (void *)unknown, 0);
}

static __noinline int large(void)
{
	char bytes[300];

	bpf_probe_read_user(bytes, sizeof(bytes), (void *)unknown);
	return bytes[unknown & 255];
}

/* Programs on probes have a stack of their own for each function, on new kernels. */
SEC("xdp")
int stack_too_large(void *ctx)
{
	char bytes[300];

	bpf_probe_read_kernel(bytes, sizeof(bytes), (void *)unknown);
	return large() + bytes[unknown & 255];
}

#define CALLS(function, next)                      \
	static __noinline int function(int number) \
	{                                          \
		asm volatile("" : "+r"(number));   \
		return next(number + unknown) + 1; \
	}

static __noinline int frame9(int number)
{
	asm volatile("" : "+r"(number));
	return number;
}
CALLS(frame8, frame9)
CALLS(frame7, frame8)
CALLS(frame6, frame7)
CALLS(frame5, frame6)
CALLS(frame4, frame5)
CALLS(frame3, frame4)
CALLS(frame2, frame3)
CALLS(frame1, frame2)

SEC("uprobe")
int calls_too_deep(void *ctx)
{
	return frame1(0);
}

char changing[8] = "abc";

SEC("uprobe")
int string_that_changes(void *ctx)
{
	char text[8] = {};

	return bpf_strncmp(text, sizeof(text), changing);
}
