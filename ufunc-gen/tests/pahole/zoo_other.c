// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Another file of the zoo: the same names for other things, and the same things once more.

struct point_user;

/* Not what zoo.c calls so. */
struct inner {
	long other_layout;
	char more[3];
};
typedef unsigned long callback;
enum plain { OTHER_A = 10, OTHER_B };

/* Refers to the struct above, by value and by pointer. */
struct user_of_inner {
	struct inner by_value;
	struct inner *by_pointer;
	enum plain plain;
	callback number;
};

/* The same as in zoo.c. */
struct pong;
struct ping {
	struct pong *pong;
};

struct user_of_inner user_of_inner;
struct ping other_ping;

__attribute__((noinline)) static long static_function(struct user_of_inner *u)
{
	return u->by_value.other_layout + (long)u->number;
}

long other_file(struct user_of_inner *u)
{
	return static_function(u);
}
