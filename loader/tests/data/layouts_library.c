// SPDX-License-Identifier: MIT OR Apache-2.0
/* A library whose `struct conn` is not the application's. */
struct conn {
	char pad[256];
	int id;
};

struct only_here {
	int a;
};

int in_library(struct conn *conn, struct only_here *only)
{
	return conn->id + only->a;
}
