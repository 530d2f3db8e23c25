/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "shapes.h"

int log_all(const char *format, ...)
{
	return *format;
}

struct bits bits_of(struct node node)
{
	return node.bits;
}

long double mix(float f, double d, long double ld)
{
	return f + d + ld;
}

int for_each(struct node *list, void (*visit)(struct node *, void *), void *context)
{
	int visited = 0;

	for (; list; list = list->next, visited++)
		visit(list, context);
	return visited;
}
