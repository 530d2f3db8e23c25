// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The plainest host: one struct, and one function that takes it. It lends nothing. An extension
 * reads the struct's fields, at the offsets that this program's BTF gives.
 */
#include <stdio.h>

#include "host.h"

struct data {
	int a;
	int c;
	int d;
};

PROBED int add_test(struct data *d)
{
	PROBED_USES(d);
	return d->a + d->c;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);
	struct data d = {.a = 1, .c = 3, .d = 4};

	while (host_next(&rounds))
		printf("add_test(&d) = %d\n", add_test(&d));
	return 0;
}
