// SPDX-License-Identifier: MIT OR Apache-2.0
#include "layouts.h"

struct conn {
	int port;
	int id;
};

typedef struct {
	char pad[8];
	int state;
} state_t;

__attribute__((noinline)) int handle_small(void *conn)
{
	state_t *state = conn;

	return ((struct conn *)conn)->id * 3 + state->state;
}
