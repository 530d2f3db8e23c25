// SPDX-License-Identifier: MIT OR Apache-2.0
#include "layouts.h"

struct conn {
	char name[64];
	int id;
};

typedef struct {
	char pad[16];
	int state;
} state_t;

__attribute__((noinline)) int handle_large(void *conn)
{
	state_t *state = conn;

	return ((struct conn *)conn)->id * 2 + state->state;
}
