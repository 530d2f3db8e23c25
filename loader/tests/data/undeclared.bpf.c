// SPDX-License-Identifier: MIT OR Apache-2.0
/* Ufuncs that no module declares. */
#include "host.h"

struct data;
extern struct data *test_alloc_data(void) __ksym;
extern void test_free_data(struct data *data) __ksym;

SEC("uprobe")
int alloc_free(void *ctx)
{
	struct data *data = test_alloc_data();

	if (data)
		test_free_data(data);
	return 0;
}
