// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A host to look into: a function with a local variable in its frame, called from a place that it
 * knows, and a call of a library's function. It lends nothing, and is compiled without optimisation
 * (see the Makefile), so that what the source says is in memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

static int price = 100;
static int reduction = 8;

/* Its only variable is the first thing below the frame pointer, and has its last value at the end. */
PROBED int reduced(void)
{
	int sum = price;

	printf("reduced() returns to %p\n", __builtin_return_address(0));
	sum -= reduction;
	return sum;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);

	while (host_next(&rounds)) {
		const char *text = getenv("UFUNC_REDUCTION");

		if (text)
			reduction = (int)host_number(argv[0], text);
		printf("reduced() = %d\n", reduced());
	}
	return 0;
}
