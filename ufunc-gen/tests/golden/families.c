// SPDX-License-Identifier: MIT OR Apache-2.0
/* Lent by annotation: two families on one struct, and a plain function for each kind of result. */

#include "ufunc.h"

struct buffer {
	int id;
	int tag;
	char text[16];
};

struct owner {
	struct buffer *current;
};

static struct buffer heap[4], pool[4];
static int taken;

struct buffer *heap_buffer(void)
{
	return &heap[taken++ & 3];
}

void drop_heap_buffer(struct buffer *b)
{
	b->id = 0;
}

UFUNC_ACQUIRE_FAMILY(heap_buffer, heap);
UFUNC_RELEASE_FAMILY(drop_heap_buffer, heap);

struct buffer *checkout_buffer(unsigned int slot)
{
	return slot < 4 ? &pool[slot] : (void *)0;
}

void hand_back_buffer(struct buffer *b)
{
	b->tag = 0;
}

UFUNC_ACQUIRE_FAMILY(checkout_buffer, pool);
UFUNC_RELEASE_FAMILY(hand_back_buffer, pool);

int buffer_tag(const struct buffer *b)
{
	return b->tag;
}

void set_buffer_tag(struct buffer *b, int tag)
{
	b->tag = tag;
}

_Bool buffer_is_free(struct buffer *b, unsigned char mask, short id, unsigned long long salt)
{
	return !b->id && (mask & salt & (unsigned long long)id);
}

struct buffer *peek_buffer(struct owner *o)
{
	return o->current;
}

UFUNC_PLAIN(buffer_tag);
UFUNC_PLAIN(set_buffer_tag);
UFUNC_PLAIN(buffer_is_free);
UFUNC_PLAIN(peek_buffer);
