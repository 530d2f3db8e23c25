/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "zoo.h"

struct zoo {
	struct flexible *flexible;
	struct zero_length zero_length;
	struct empty empty;
	struct anonymous anonymous;
	struct fields fields;
	struct packed packed;
	struct atomic atomic;
	struct pointers pointers;
	struct aligned aligned;
	union all all;
	enum unsigned_wide unsigned_wide;
	enum signed_wide signed_wide;
	enum full full;
#ifdef __clang__
	_BitInt(17) odd;
	unsigned _BitInt(128) even;
	_BitInt(100) long_;
#else
	_Float128 float128;
	_Float16 half;
#endif
} zoo;

struct elsewhere *find(struct zoo *zoo);
volatile int sink;

/* The other unit has one of that name. */
static __attribute__((noinline)) int same_name(int one)
{
	struct local { int in_same_name; } local = { one };
	return local.in_same_name;
}

static __attribute__((noinline)) int partly(struct fields *fields, int unused, int used)
{
	(void)unused;
	return fields->a + used + sink;
}

int variadic(const char *format, ...) { return *format; }
int old_style() { return 1; }
float real(float f, double d, long double ld) { return f + d + ld; }
struct anonymous by_value(struct anonymous value, union all *all) { (void)all; return value; }
_Bool is(_Bool b) { return !b; }
void array(int rows[static 2][3], char name[]) { rows[0][0] = name[0]; }
int unnamed(int, char *);
int unnamed(int a, char *b) { return a + *b; }
static inline int inlined(int a) { return a + 1; }
__attribute__((weak)) void weak(void) {}

int main(int argc, char **argv)
{
	struct local { long in_main; } local = { argc };
	enum { LOCAL_ENUM = 3 } local_enum = LOCAL_ENUM;
	find(&zoo);
	variadic(argv[0]);
	return same_name(argc) + partly(&zoo.fields, argc, 1) + partly(&zoo.fields, 2, argc) + inlined((int)local.in_main) + (int)local_enum;
}
