/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "zoo.h"

enum late { LATE = 7 };
struct elsewhere { enum late late; struct elsewhere *next; };
union elsewhere_too { int here; char too; };

struct zoo;
static struct elsewhere found;
static union elsewhere_too too;

static __attribute__((noinline)) long same_name(struct elsewhere *one, union elsewhere_too *two)
{
	return one->late + two->here;
}

struct elsewhere *find(struct zoo *zoo)
{
	found.late = zoo ? LATE : same_name(&found, &too);
	return &found;
}
