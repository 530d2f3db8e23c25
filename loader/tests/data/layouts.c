// SPDX-License-Identifier: MIT OR Apache-2.0
/* An application whose files mean different things by `struct conn` and `state_t`: layouts_small.c one, two others
 * another. */
#include "layouts.h"

struct conn {
	char name[64];
	int id;
};

typedef struct {
	char pad[16];
	int state;
} state_t;

__attribute__((noinline)) int other_large(void *conn)
{
	state_t *state = conn;

	return ((struct conn *)conn)->id + state->state;
}

int main(int argc, char **argv)
{
	static char conn[128];

	(void)argv;
	return handle_small(conn) + handle_large(conn) + other_large(conn) + argc - 1;
}
