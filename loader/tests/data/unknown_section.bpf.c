// SPDX-License-Identifier: MIT OR Apache-2.0
/* A section name from which no program type follows, beside one that is fine. */
#include "host.h"

SEC("nonsense")
int what(void *ctx)
{
	return 0;
}

SEC("uprobe")
int fine(void *ctx)
{
	return 0;
}
