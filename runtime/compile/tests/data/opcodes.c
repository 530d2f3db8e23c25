// SPDX-License-Identifier: MIT OR Apache-2.0
// A function for everything that the instruction set can do. The same source is compiled for BPF,
// by each version of it, and for the machine itself; the results have to be the same.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#define BINARY(name, type, expression)          \
	u64 name(u64 x, u64 y, u64 *m)          \
	{                                       \
		type a = x, b = y;              \
		return (u64)(type)(expression); \
	}

BINARY(add64, u64, a + b)
BINARY(add32, u32, a + b)
BINARY(sub64, u64, a - b)
BINARY(sub32, u32, a - b)
BINARY(mul64, u64, a *b)
BINARY(mul32, u32, a *b)
BINARY(div64, u64, b ? a / b : 0)
BINARY(div32, u32, b ? a / b : 0)
BINARY(mod64, u64, b ? a % b : a)
BINARY(mod32, u32, b ? a % b : a)
BINARY(div64_constant, u64, a / 10 + a / 64 + a / 0x7ffffff)
BINARY(div32_constant, u32, a / 10 + a / 64 + a / 0x7ffffff)
BINARY(mod64_constant, u64, a % 10 + a % 64)
BINARY(mod32_constant, u32, a % 10 + a % 64)
BINARY(or64, u64, a | b)
BINARY(or32, u32, a | b)
BINARY(and64, u64, a &b)
BINARY(and32, u32, a &b)
BINARY(xor64, u64, a ^ b)
BINARY(xor32, u32, a ^ b)
BINARY(lsh64, u64, a << (b & 63))
BINARY(lsh32, u32, a << (b & 31))
BINARY(rsh64, u64, a >> (b & 63))
BINARY(rsh32, u32, a >> (b & 31))
BINARY(arsh64, s64, a >> (b & 63))
BINARY(arsh32, s32, a >> (b & 31))
BINARY(neg64, u64, -a)
BINARY(neg32, u32, -a)
BINARY(movsx8, s64, (s8)a)
BINARY(movsx16, s64, (s16)a)
BINARY(movsx32, s64, (s32)a)
BINARY(movsx8_32, u32, (s8)a)
BINARY(movsx16_32, u32, (s16)a)
BINARY(bswap16, u64, __builtin_bswap16(a))
BINARY(bswap32, u64, __builtin_bswap32(a))
BINARY(bswap64, u64, __builtin_bswap64(a))
BINARY(constants, u64, a + 0x123456789abcdef0 + 0xffffffff80000000)

#if SIGNED_DIVISION
BINARY(sdiv64, s64, b &&b != -1 ? a / b : -a)
BINARY(sdiv32, s32, b &&b != -1 ? a / b : (s32) - (u32)a)
BINARY(smod64, s64, b &&b != -1 ? a % b : 0)
BINARY(smod32, s32, b &&b != -1 ? a % b : 0)
BINARY(sdiv64_constant, s64, a / -7)
BINARY(smod32_constant, s32, a % -7)
#endif

// Branches, which must stay branches: each side writes elsewhere.
#define BRANCH(name, type, condition)            \
	u64 name(u64 x, u64 y, u64 *m)           \
	{                                        \
		type a = x, b = y;               \
		if (condition) {                 \
			*(volatile u64 *)m += 1; \
			return 3;                \
		}                                \
		*(volatile u64 *)(m + 1) += 5;   \
		return 4;                        \
	}

BRANCH(jeq64, u64, a == b)
BRANCH(jeq32, u32, a == b)
BRANCH(jne64, u64, a != b)
BRANCH(jne32, u32, a != b)
BRANCH(jgt64, u64, a > b)
BRANCH(jgt32, u32, a > b)
BRANCH(jge64, u64, a >= b)
BRANCH(jge32, u32, a >= b)
BRANCH(jlt64, u64, a < b)
BRANCH(jlt32, u32, a < b)
BRANCH(jle64, u64, a <= b)
BRANCH(jle32, u32, a <= b)
BRANCH(jsgt64, s64, a > b)
BRANCH(jsgt32, s32, a > b)
BRANCH(jsge64, s64, a >= b)
BRANCH(jsge32, s32, a >= b)
BRANCH(jslt64, s64, a < b)
BRANCH(jslt32, s32, a < b)
BRANCH(jsle64, s64, a <= b)
BRANCH(jsle32, s32, a <= b)
BRANCH(jset64, u64, a &b)
BRANCH(jset32, u32, a &b)
BRANCH(jset64_constant, u64, a & 0x80)
BRANCH(jgt64_constant, u64, a > 0x80)
BRANCH(jslt32_constant, s32, a < -5)

// Memory.
#define LOAD(name, type)                                         \
	u64 name(u64 x, u64 y, u64 *m)                           \
	{                                                        \
		volatile type *p = (type *)((u8 *)m + (x & 31)); \
		return (u64)p[0] ^ (u64)p[3];                    \
	}
#define STORE(name, type)                                        \
	u64 name(u64 x, u64 y, u64 *m)                           \
	{                                                        \
		volatile type *p = (type *)((u8 *)m + (x & 31)); \
		p[0] = y;                                        \
		p[2] = (type)0x89abcdef;                         \
		return 0;                                        \
	}

LOAD(load8, u8)
LOAD(load16, u16)
LOAD(load32, u32)
LOAD(load64, u64)
LOAD(load8_signed, s8)
LOAD(load16_signed, s16)
LOAD(load32_signed, s32)
STORE(store8, u8)
STORE(store16, u16)
STORE(store32, u32)
STORE(store64, u64)

u64 add_atomically(u64 x, u64 y, u64 *m)
{
	__sync_fetch_and_add(m, x);
	__sync_fetch_and_add((u32 *)(m + 1), (u32)y);
	return 0;
}

#if ATOMICS
#define ATOMIC(name, function)                                            \
	u64 name(u64 x, u64 y, u64 *m)                                    \
	{                                                                 \
		return function(m, x) ^ function((u32 *)(m + 1), (u32)y); \
	}

ATOMIC(fetch_add, __sync_fetch_and_add)
ATOMIC(fetch_sub, __sync_fetch_and_sub)
ATOMIC(fetch_and, __sync_fetch_and_and)
ATOMIC(fetch_or, __sync_fetch_and_or)
ATOMIC(fetch_xor, __sync_fetch_and_xor)
ATOMIC(exchange, __sync_lock_test_and_set)

u64 update_atomically(u64 x, u64 y, u64 *m)
{
	(void)__sync_fetch_and_and(m, x);
	(void)__sync_fetch_and_or(m + 1, x);
	(void)__sync_fetch_and_xor(m + 2, x);
	(void)__sync_fetch_and_xor((u32 *)(m + 3), (u32)x);
	return 0;
}

u64 compare_exchange(u64 x, u64 y, u64 *m)
{
	u64 old = __sync_val_compare_and_swap(m, x & 1 ? m[0] : x, y);
	u32 *n = (u32 *)(m + 1);
	u32 expected = x & 2 ? n[0] : (u32)x;

	return old ^ __sync_val_compare_and_swap(n, expected, (u32)y);
}
#endif

// Functions, stack and loops.
static __attribute__((noinline)) u64 mix(u64 a, u64 b, u64 c, u64 d, u64 e)
{
	volatile u64 local[16];

	for (int i = 0; i < 16; i++)
		local[i] = a * i + b;
	return local[c & 15] + d - e;
}

u64 calls(u64 x, u64 y, u64 *m)
{
	volatile u64 kept = x;
	u64 sum = 0;

	for (u64 i = 0; i < (y & 7); i++)
		sum += mix(x, i, y, sum, kept);
	return sum ^ kept;
}

u64 loops(u64 x, u64 y, u64 *m)
{
	u64 n = x & 1023, steps = 0;

	while (n > 1 && steps < 1000) {
		n = n & 1 ? 3 * n + 1 : n / 2;
		steps++;
	}
	return steps;
}

u64 many_values(u64 x, u64 y, u64 *m)
{
	u64 a = m[0], b = m[1], c = m[2], d = m[3], e = m[4], f = m[5];

	for (u64 i = 0; i < (x & 15); i++) {
		a += b ^ i, b -= c | 3, c *= d, d ^= e >> 3, e += f, f += a + y;
		m[i & 3] = a + c;
	}
	return a ^ b ^ c ^ d ^ e ^ f;
}

u64 chooses(u64 x, u64 y, u64 *m)
{
	switch (x & 15) {
	case 0:
		return y + 1;
	case 1:
		return y * 3;
	case 2:
		return y ^ 0x55;
	case 3:
		return m[1];
	case 4:
		return mix(x, y, 1, 2, 3);
	case 5:
		return -y;
	case 9:
		return y >> 7;
	default:
		return 42;
	}
}
