/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "shapes.h"

struct hidden { int count; struct hidden *deeper; enum { HIDDEN_NOT, HIDDEN_WELL } how; };
struct rival { long first, second; };

static struct hidden hidden;
static struct node node;

static __attribute__((noinline)) long count(struct rival *rival, short times)
{
	return (rival->first + rival->second) * times;
}

long rival_sum(struct rival_user *user)
{
	return count(user->rival, 2) + count(user->rival, 3);
}

struct hidden *hidden_new(int count)
{
	hidden.count = count;
	hidden.how = HIDDEN_WELL;
	return &hidden;
}

struct node *node_new(enum color color, const char *restrict text)
{
	node.color = color;
	node.value.text[0] = *text;
	return &node;
}

void node_free(struct node *node)
{
	node->next = 0;
}

int node_total(const struct node *nodes, word_t count)
{
	int total = 0;

	while (count--)
		total += node_is_red(nodes++);
	return total;
}
