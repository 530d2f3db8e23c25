/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the units of the C application share. No header of the system: they compile for any target. */
#pragma once

enum color { COLOR_RED, COLOR_GREEN = 5, COLOR_BLUE = -3 };
enum wide { WIDE_SMALL = 1, WIDE_LARGE = 0x123456789aLL };
typedef unsigned long word_t;

/* Only here. */
struct nowhere;
/* Defined in lists.c alone. */
struct hidden;
/* main.c and lists.c each have their own. */
struct rival;

struct node;
typedef int (*compare_t)(const struct node *, const struct node *);

struct bits {
	unsigned a : 3;
	int b : 5;
	unsigned long long c : 40;
	_Bool d : 1;
	enum color e : 4;
	signed char f : 2;
	unsigned : 0;
	unsigned g : 7;
};

union value {
	int i;
	float f;
	double d;
	char text[16];
	struct node *node;
};

struct node {
	struct node *next, *prev;
	union value value;
	struct { short x, y; } at;
	union { int tag; unsigned char bytes[4]; };
	struct bits bits;
	compare_t compare;
	int grid[2][3];
	enum color color;
	enum wide wide;
	struct hidden *hidden;
	struct nowhere *nowhere;
	const volatile int watched;
	word_t words[2];
	char tail[];
};

struct rival_user {
	struct rival *rival;
	struct node *node;
};

struct __attribute__((packed)) tight { char c; long l; short s : 9; };

struct node *node_new(enum color color, const char *restrict text);
void node_free(struct node *node);
int node_total(const struct node *nodes, word_t count);
int log_all(const char *format, ...);
struct bits bits_of(struct node node);
long double mix(float f, double d, long double ld);
struct hidden *hidden_new(int count);
long rival_sum(struct rival_user *user);
int for_each(struct node *list, void (*visit)(struct node *, void *), void *context);

/* In every unit that includes this, and without code of its own where it is inlined. */
static inline int node_is_red(const struct node *node)
{
	return node->color == COLOR_RED;
}
