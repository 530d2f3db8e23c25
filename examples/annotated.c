// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A host that says by annotation what it lends: one struct with two pairs of functions, from the
 * heap and from a pool, that must not be mixed up, and a plain function. `checkout`, `hand_back`
 * and `drop_buffer` are not names from which anything could be inferred.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "host.h"
#include "ufunc.h"

struct buffer {
	int id;
	int tag;
	char text[16];
};

/*
 * main() sets this around the calls that it makes itself; whoever else calls is an extension.
 * Volatile, because the compiler cannot see that an extension calls from within a probed function.
 */
static _Thread_local const char *volatile caller = "extension";

static atomic_int last_id;

struct buffer *buffer_new(void)
{
	struct buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->id = atomic_fetch_add(&last_id, 1) + 1;
	printf("[%s] buffer_new() = #%d\n", caller, b->id);
	return b;
}

void drop_buffer(struct buffer *b)
{
	printf("[%s] drop_buffer(#%d)\n", caller, b->id);
	free(b);
}

UFUNC_ACQUIRE_FAMILY(buffer_new, heap);
UFUNC_RELEASE_FAMILY(drop_buffer, heap);

/* The pool has one buffer for each slot; it is never freed. */
static struct buffer pool[] = {{.id = 1001, .text = "first"}, {.id = 1002, .text = "second"}};
static atomic_flag taken[] = {ATOMIC_FLAG_INIT, ATOMIC_FLAG_INIT};

struct buffer *checkout(int slot)
{
	if (slot < 0 || (size_t)slot >= sizeof(pool) / sizeof(pool[0]))
		return NULL;
	if (atomic_flag_test_and_set(&taken[slot]))
		return NULL;
	printf("[%s] checkout(%d) = #%d\n", caller, slot, pool[slot].id);
	return &pool[slot];
}

void hand_back(struct buffer *b)
{
	printf("[%s] hand_back(#%d)\n", caller, b->id);
	atomic_flag_clear(&taken[b - pool]);
}

UFUNC_ACQUIRE_FAMILY(checkout, pool);
UFUNC_RELEASE_FAMILY(hand_back, pool);

/* A setter: an extension cannot write to a host's object, it asks the host to. */
void set_tag(struct buffer *b, int tag)
{
	printf("[%s] set_tag(#%d, %d)\n", caller, b->id, tag);
	b->tag = tag;
}

UFUNC_PLAIN(set_tag);

PROBED int handle(struct buffer *b)
{
	PROBED_USES(b);
	return b->id + b->tag;
}

static void run_round(void)
{
	const char *outside = caller;

	caller = "main";
	struct buffer *own = buffer_new();
	struct buffer *shared = checkout(0);
	if (own)
		set_tag(own, 7);
	caller = outside;

	/* The probe is here: what an extension does happens before handle's sum. */
	if (own)
		printf("handle(own) = %d\n", handle(own));

	caller = "main";
	if (shared)
		hand_back(shared);
	if (own)
		drop_buffer(own);
	caller = outside;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);

	while (host_next(&rounds))
		run_round();
	return 0;
}
