// SPDX-License-Identifier: MIT OR Apache-2.0
/* The definition of a struct that zoo.c only declares. */

struct hidden {
	int depth;
	struct hidden *deeper;
};

struct hidden hidden_root;

int hidden_depth(struct hidden *h)
{
	return h->depth;
}
