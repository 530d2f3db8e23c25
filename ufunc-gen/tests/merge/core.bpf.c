// SPDX-License-Identifier: MIT OR Apache-2.0
// Every kind of CO-RE relocation that there is, on types that look different where it is run.
//
// TYPE_MATCHES stands in a section of its own as TYPE_EXISTS, for clang before 15 does not know it;
// the test puts the right number there.

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum field_info { BYTE_OFFSET, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT };
enum type_id { LOCAL, TARGET };
enum type_info { TYPE_EXISTS, TYPE_SIZE };
enum enum_info { VALUE_EXISTS, VALUE };

#define field(place, what) __builtin_preserve_field_info(place, what)
#define type(name, what) __builtin_preserve_type_info(*(name *)0, what)
#define id(name, what) __builtin_btf_type_id(*(name *)0, what)
#define value(name, enumerator, what) __builtin_preserve_enum_value(*(name *)enumerator, what)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum color { RED, GREEN, BLUE };
enum gone_color { LOST = 5, KEPT = 6 };
enum wide { WIDE = 1 };

struct inner {
	int x;
	long y;
};

typedef struct {
	int value;
} plain_t;

union either {
	char bytes[2];
};

struct app_host___as_written {
	unsigned char second : 5;
	unsigned char first : 3;
	signed int negative : 9;
	unsigned long far : 40;
	unsigned char widened;
	enum color color;
	struct inner inner;
	struct inner *pointer;
	signed char array[9][4];
	int nameless;
	short deep;
	int missing;
	plain_t plain;
	union either either;
};

struct missing_type {
	int x;
};

struct file {
	int descriptor;
	char path[20];
};

/* Of another flavour, for libbpf goes on with those candidates that had what it looked for first. */
struct file___for_its_size {
	int descriptor;
};

#pragma clang attribute pop

/* What the application's inner looks like, so that it matches, and a look that does not. */
struct inner___match {
	char pad[3];
	int x;
	long y;
};

struct inner___mismatch {
	char pad[3];
	int *x;
	long y;
};

#define HOST ((struct app_host___as_written *)0)

/* The results, in the order in which they are written; the test has a list of what they mean. */
__u64 results[64];

#define put(expression) (results[at++] = (__u64)(expression))

SEC("socket")
int fields(void *ctx)
{
	int at = 0;

	put(field(HOST->widened, BYTE_OFFSET));
	put(field(HOST->widened, BYTE_SIZE));
	put(field(HOST->widened, EXISTS));
	put(field(HOST->missing, EXISTS));
	put(field(HOST->widened, SIGNED));
	put(field(HOST->negative, SIGNED));
	put(field(HOST->color, SIGNED));
	put(field(HOST->second, BYTE_OFFSET));
	put(field(HOST->second, BYTE_SIZE));
	put(field(HOST->second, LSHIFT));
	put(field(HOST->second, RSHIFT));
	put(field(HOST->far, BYTE_OFFSET));
	put(field(HOST->far, BYTE_SIZE));
	put(field(HOST->far, LSHIFT));
	put(field(HOST->far, RSHIFT));
	put(field(HOST->negative, LSHIFT));
	put(field(HOST->negative, RSHIFT));
	put(field(HOST->inner.y, BYTE_OFFSET));
	put(field(HOST->array[2][1], BYTE_OFFSET));
	put(field(HOST->array, BYTE_SIZE));
	put(field(HOST->nameless, BYTE_OFFSET));
	put(field(HOST->deep, BYTE_OFFSET));
	put(field(HOST->plain.value, BYTE_OFFSET));
	put(field(((plain_t *)0)->value, BYTE_OFFSET));
	put(field(HOST->either, BYTE_SIZE));
	put(&HOST->pointer);
	put(field(((struct missing_type *)0)->x, EXISTS));
	put(field(((struct file *)0)->path, BYTE_OFFSET));
	return at;
}

SEC("socket")
int types(void *ctx)
{
	int at = 32;

	put(type(struct app_host___as_written, TYPE_EXISTS));
	put(type(struct missing_type, TYPE_EXISTS));
	put(type(struct app_host___as_written, TYPE_SIZE));
	put(type(union either, TYPE_SIZE));
	put(type(plain_t, TYPE_SIZE));
	put(type(struct file___for_its_size, TYPE_SIZE));
	put(value(enum color, RED, VALUE));
	put(value(enum color, GREEN, VALUE));
	put(value(enum color, BLUE, VALUE_EXISTS));
	put(value(enum gone_color, LOST, VALUE_EXISTS));
	put(value(enum gone_color, KEPT, VALUE));
	put(value(enum wide, WIDE, VALUE));
	return at;
}

SEC("all_ids")
int ids(void *ctx)
{
	int at = 48;

	put(id(struct app_host___as_written, LOCAL));
	put(id(struct app_host___as_written, TARGET));
	put(id(struct inner, TARGET));
	put(id(enum color, TARGET));
	put(id(plain_t, TARGET));
	put(id(struct file, TARGET));
	return at;
}

SEC("all_matches")
int matches(void *ctx)
{
	int at = 56;

	put(type(struct inner___match, TYPE_EXISTS));
	put(type(struct inner___mismatch, TYPE_EXISTS));
	put(type(struct missing_type, TYPE_EXISTS));
	return at;
}

char _license[] SEC("license") = "GPL";
