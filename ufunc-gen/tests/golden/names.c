// SPDX-License-Identifier: MIT OR Apache-2.0
/* Names that mean something to Rust: keywords, prelude names, primitive types, crates. */

#include "ufunc.h"

struct type {
	int fn;
	struct impl *Self;
};

struct impl {
	int dyn;
};

static struct type only;

struct type *match(int ref, int mut)
{
	only.fn = ref + mut;
	return &only;
}

void drop(struct type *self)
{
	self->fn = 0;
}

UFUNC_ACQUIRE(match);
UFUNC_RELEASE(drop);

int type(struct type *type)
{
	return type->fn;
}

unsigned long Some(unsigned long u64)
{
	return u64 + 1;
}

unsigned char u64(unsigned char u8)
{
	return u8 + 1;
}

short core(short crate)
{
	return crate + 1;
}

int r(struct impl *super)
{
	return super->dyn;
}

UFUNC_PLAIN(type);
UFUNC_PLAIN(Some);
UFUNC_PLAIN(u64);
UFUNC_PLAIN(core);
UFUNC_PLAIN(r);
