// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A host that lends functions which take more than numbers and objects: strings, bytes and how many
 * there are, an object or NULL, a constant, and one that sleeps. Types do not tell what such
 * arguments are; guestbook.toml does. It also lets extensions look at visitors that they need not
 * give back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include "host.h"

struct visitor {
	int number;
	int visits;
	char name[16];
};

static struct visitor visitors[] = {
	{.number = 1, .name = "Ada"},
	{.number = 2, .name = "Grace"},
};

/* Prints what an extension has to say. */
void say(int level, const char *message)
{
	printf("said at level %d: %s\n", level, message);
}

/* Prints bytes, which need not end with anything; returns how many. */
int write_bytes(const void *bytes, size_t count)
{
	const unsigned char *byte = bytes;

	printf("%zu bytes:", count);
	for (size_t i = 0; i < count; i++)
		printf(" %02x", byte[i]);
	printf("\n");
	return (int)count;
}

/* A visitor to look at; NULL if there is none of that number. */
struct visitor *find_visitor(int number)
{
	for (size_t i = 0; i < sizeof(visitors) / sizeof(visitors[0]); i++)
		if (visitors[i].number == number)
			return &visitors[i];
	return NULL;
}

/* One of the caller's own. */
struct visitor *new_visitor(int number)
{
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	if (visitor) {
		visitor->number = number;
		snprintf(visitor->name, sizeof(visitor->name), "guest %d", number);
	}
	return visitor;
}

void free_visitor(struct visitor *visitor)
{
	free(visitor);
}

/* A remark of a kind that is fixed, about a visitor or about nobody. */
void remark(struct visitor *about, int kind)
{
	printf("remark %d about %s\n", kind, about ? about->name : "nobody");
}

/* Waits until everything is written. */
void settle(void)
{
	fflush(stdout);
	thrd_sleep(&(struct timespec){.tv_nsec = 1000}, NULL);
	printf("settled\n");
}

PROBED int greet(struct visitor *visitor)
{
	PROBED_USES(visitor);
	return ++visitor->visits;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);

	while (host_next(&rounds))
		printf("greeted %s %d times\n", visitors[0].name, greet(&visitors[0]));
	return 0;
}
