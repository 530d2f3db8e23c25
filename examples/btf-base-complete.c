// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A host that lends two functions, my_alloc_data and my_free_data: an extension on add_test may
 * call them. Nothing marks them as a pair; the generator infers it from their names and types.
 * Each call prints a line that starts with who made it: `[main]` or `[extension]`.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct deep_memory_block {
	int a;
	char b[10];
};

struct inner_memory_block {
	int a;
	char b[10];
	struct deep_memory_block *deep;
};

struct data {
	int a;
	int b;
	int c;
	int d;
	struct inner_memory_block *inner;
};

/* What is really allocated. `data` comes first: a pointer to it is a pointer to the whole. */
struct object {
	struct data data;
	struct inner_memory_block inner;
	struct deep_memory_block deep;
	unsigned long number;
};

/*
 * main() sets this around the calls that it makes itself; whoever else calls is an extension.
 * Volatile, because the compiler cannot see that an extension calls from within a probed function.
 */
static _Thread_local const char *volatile caller = "extension";

static atomic_ulong objects_made;

struct data *my_alloc_data(void)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->data = (struct data){.a = 1, .b = 2, .c = 3, .d = 4, .inner = &object->inner};
	object->inner = (struct inner_memory_block){.a = 10, .b = "inner", .deep = &object->deep};
	object->deep = (struct deep_memory_block){.a = 100, .b = "deep"};
	object->number = atomic_fetch_add(&objects_made, 1) + 1;
	printf("[%s] my_alloc_data() = object #%lu\n", caller, object->number);
	return &object->data;
}

void my_free_data(struct data *d)
{
	struct object *object = (struct object *)d;

	printf("[%s] my_free_data(object #%lu)\n", caller, object->number);
	free(object);
}

PROBED int add_test(struct data *d)
{
	PROBED_USES(d);
	return d->a + d->c;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);

	while (host_next(&rounds)) {
		const char *outside = caller;

		caller = "main";
		struct data *d = my_alloc_data();
		caller = outside;
		if (!d) {
			fprintf(stderr, "%s: out of memory\n", argv[0]);
			return 1;
		}

		/* The probe is here: what an extension does happens before add_test's sum. */
		printf("add_test(d) = %d\n", add_test(d));

		caller = "main";
		my_free_data(d);
		caller = outside;
	}
	return 0;
}
