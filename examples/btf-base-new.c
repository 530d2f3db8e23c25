// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The next release of btf-base: the same function, but `b` has come in before `c`. An extension
 * compiled against btf-base still reads the right field here, once it is relocated (CO-RE); with
 * the old offsets it would take `b` for `c`.
 */
#include <stdio.h>

#include "host.h"

struct data {
	int a;
	int b;
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
	struct data d = {.a = 1, .b = 2, .c = 3, .d = 4};

	while (host_next(&rounds))
		printf("add_test(&d) = %d\n", add_test(&d));
	return 0;
}
