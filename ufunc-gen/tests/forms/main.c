/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "shapes.h"

struct rival { int first; };

struct tight tight;
volatile int sink;

/* lists.c has another one of that name, with other parameters. */
static __attribute__((noinline)) int count(const struct node *list)
{
	int n = 0;

	for (; list; list = list->next)
		n += node_is_red(list);
	return n;
}

/* Optimised, it loses a parameter, and the first becomes what it points to. */
static __attribute__((noinline)) int partly(const struct node *node, int unused, int used)
{
	(void)unused;
	return node->grid[1][2] + used + sink;
}

static int rival_first(struct rival *rival)
{
	return rival->first;
}

static void visit(struct node *node, void *context)
{
	struct visited { struct node *node; int number; } visited = { node, *(int *)context };

	sink = visited.number + count(visited.node);
}

int use_rival(struct rival *rival, struct rival_user *user)
{
	return rival_first(rival) + rival_first(user->rival);
}

int main(int argc, char **argv)
{
	struct rival rival = { argc };
	struct rival_user user = { &rival, node_new(COLOR_GREEN, argv[0]) };

	sink = partly(user.node, argc, 3) + partly(user.node, 2, argc);
	for_each(user.node, visit, &argc);
	log_all("%d", use_rival(&rival, &user));
	hidden_new(tight.c + (int)rival_sum(&user));
	return (int)mix(1, 2, argc);
}
