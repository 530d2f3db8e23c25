// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Lent by the policy grants.toml: two families on one struct, and what extensions may do with its objects and with
 * those of a struct that only a typedef names.
 */

enum colour { RED, GREEN = -1 };

struct position {
	int x, y;
};

typedef struct {
	const char *text;
	unsigned char grid[3][4];
	long long numbers[5];
} item_t;

struct buffer {
	struct position position;
	enum colour colour;
	_Bool full : 1;
	unsigned long long mask : 35;
	signed char level;
	volatile unsigned short port;
	union {
		unsigned int raw;
		char letters[4];
	};
	item_t *item;
};

static item_t item;
static struct buffer heap[4], pool[4];
static int taken;

struct buffer *heap_buffer(void)
{
	return &heap[taken++ & 3];
}

void drop_heap_buffer(struct buffer *b)
{
	b->level = 0;
}

struct buffer *checkout_buffer(unsigned int slot)
{
	return slot < 4 ? &pool[slot] : (void *)0;
}

void hand_back_buffer(struct buffer *b)
{
	b->item = &item;
}
