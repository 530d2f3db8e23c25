// SPDX-License-Identifier: MIT OR Apache-2.0
/* A ufunc that no module declares, and that the program can do without, or says so. */
#include "host.h"

extern void test_touch_data(int value) __ksym __weak;

SEC("uprobe")
int guarded(void *ctx)
{
	if (test_touch_data)
		test_touch_data(1);
	return 0;
}

SEC("uprobe")
int unguarded(void *ctx)
{
	test_touch_data(1);
	return 0;
}
