// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What C has in types and functions, for comparing what is made of it.

#include <complex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>
#include <wchar.h>

/* Base types, all of them. */
struct bases {
	char c;
	signed char sc;
	unsigned char uc;
	short s;
	unsigned short us;
	int i;
	unsigned u;
	long l;
	unsigned long ul;
	long long ll;
	unsigned long long ull;
	__int128 big;
	unsigned __int128 ubig;
	bool flag;
	float f;
	double d;
	long double ld;
	wchar_t wide;
	char16_t c16;
	char32_t c32;
	size_t size;
	uint8_t u8;
	int64_t i64;
};

/* What pahole fails on as a whole, with floats, is in a struct that can be left out. */
#ifdef WITH_COMPLEX
struct complex_numbers {
	float _Complex cf;
	double _Complex cd;
	long double _Complex cld;
	double _Complex *pointer;
	double _Complex list[3];
};
#endif

/* Bit-fields: of every type, across storage units, with gaps, without a name. */
struct bit_fields {
	unsigned a : 1;
	unsigned b : 31;
	int c : 5;
	unsigned : 3;
	int d : 24;
	unsigned char e : 7;
	unsigned : 0;
	bool f : 1;
	long g : 40;
	unsigned long h : 64;
	short i : 9;
	char j;
	unsigned k : 4;
	enum { LOW, HIGH } level : 2;
	enum shade { DARK = 1, BRIGHT = 6 } shade : 3;
};

struct __attribute__((packed)) packed_bits {
	char a;
	unsigned b : 13;
	unsigned long c : 37;
	int d;
	unsigned e : 6;
};

/* Enums of one byte beside bit-fields, and wide ones in them. */
enum __attribute__((packed)) tiny { TINY = 2 };
enum wide { WIDE = 0x7fffffffffffLL };
struct mixed {
	enum tiny tiny;
	unsigned bit : 1;
	enum tiny narrow : 3;
	enum wide whole : 50;
};

union bit_union {
	unsigned whole;
	unsigned low : 4;
	struct {
		unsigned first : 8;
		unsigned second : 24;
	};
};

/* Enums. */
enum plain { PLAIN_A, PLAIN_B, PLAIN_C = 7 };
enum negative { NEGATIVE = -5, ZERO = 0, POSITIVE = 5 };
enum least { LEAST = INT32_MIN };
enum large { LARGE = 0xffffffffU };
enum huge { HUGE = 0x123456789abcdefULL };
enum huge_negative { HUGE_NEGATIVE = INT64_MIN, NOT_SO_HUGE = 1 };
enum __attribute__((packed)) small { SMALL = 3 };
typedef enum { UNNAMED_A, UNNAMED_B } unnamed_enum;

struct enums {
	enum plain plain;
	enum negative negative;
	enum least least;
	enum large large;
	enum huge huge;
	enum huge_negative huge_negative;
	enum small small;
	unnamed_enum unnamed;
	enum small smalls[3];
};

/* Pointers, qualifiers, arrays, functions. */
struct opaque;
typedef int (*callback)(struct opaque *, const char *, ...);
typedef void nothing(void);
typedef const volatile int *const qualified_pointer;

struct derived {
	const char *text;
	char *const fixed;
	volatile int *port;
	const volatile unsigned status;
	char *restrict alone;
	int **matrix;
	const int *const *volatile deep;
	struct opaque *opaque;
	void *anything;
	const void *anything_const;
	callback call;
	nothing *run;
	int (*with_params)(int number, char *text, double real);
	int (*unprototyped)();
	void (*(*get_handler)(int))(void *);
	qualified_pointer qualified;
	struct derived *next;
	__attribute__((noreturn)) void (*leave)(int);
};

struct arrays {
	int one[3];
	int two[2][3];
	char three[2][3][4];
	const char *names[5];
	int (*pointer)[7];
	int (*list_of_functions[4])(void);
	struct bases bases[2];
	const int constants[2];
	int none[0];
	char rest[];
};

/* Structs within each other, with and without names. */
struct outer {
	int before;
	struct inner {
		short x;
		struct innermost { char deep; } innermost;
	} inner;
	struct {
		int nameless;
		union {
			float real;
			int whole;
			struct { short low, high; };
		};
	};
	union { char bytes[8]; double number; } named;
	struct inner again[2];
	struct { int a; } list[3];
	int after;
};

struct empty {};
struct has_empty {
	int a;
	struct empty empty;
	int b;
};

struct __attribute__((packed)) packed {
	char c;
	double d;
	short s;
	int *p;
};

struct __attribute__((aligned(64))) aligned {
	char c;
	_Alignas(32) int i;
};

union values {
	int i;
	double d;
	char bytes[3];
	struct bases *bases;
};

typedef struct {
	int x, y;
} point;
typedef struct tagged {
	point from, to;
} tagged_t;
typedef tagged_t line;
typedef union {
	point p;
	long l;
} either;
typedef int four[4];
typedef int vector __attribute__((vector_size(16)));

struct typedefs {
	point point;
	tagged_t tagged;
	line line;
	either either;
	four four;
	vector vector;
	line *lines[2];
};

/* Types that refer to each other. */
struct ping {
	struct pong *pong;
};
struct pong {
	struct ping *ping;
	struct pong *self;
};

struct everything {
	struct bases bases;
	struct bit_fields bit_fields;
	struct packed_bits packed_bits;
	struct mixed mixed;
	union bit_union bit_union;
	struct enums enums;
	struct derived derived;
	struct outer outer;
	struct has_empty has_empty;
	struct packed packed;
	struct aligned aligned;
	union values values;
	struct typedefs typedefs;
	struct ping ping;
#ifdef WITH_COMPLEX
	struct complex_numbers complex_numbers;
#endif
	struct arrays *arrays;
};

#ifdef WITH_ATOMIC
struct atomics {
	_Atomic int counter;
	_Atomic(struct ping *) pointer;
	int *_Atomic also_pointer;
	const _Atomic long *to_atomic;
	_Atomic bool flags[4];
	_Atomic(point) whole;
	int after;
};
struct atomics atomics;
int is_set(struct atomics *a) { return a->counter; }
#endif

struct everything everything;
struct pong pong;
int table[2][3];
static const char *const names[] = {"a", "b"};

/* Functions. */
__attribute__((noinline)) int global_function(int a, const char *b) { return a + b[0]; }
__attribute__((noinline)) static long static_function(struct outer *o) { return o->before; }
__attribute__((noinline)) int variadic(const char *format, ...)
{
	va_list list;
	int value;

	va_start(list, format);
	value = va_arg(list, int);
	va_end(list);
	return value + format[0];
}
__attribute__((noinline)) double floats(float a, double b) { return a + b; }
__attribute__((noinline)) point by_value(point p, struct bases b) { p.x += b.i; return p; }
__attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return a + b + c + d + e + f + g + h;
}
__attribute__((noinline)) int no_prototype() { return table[1][2]; }
__attribute__((noinline)) static int unused_parameter(int used, int unused) { (void)unused; return used * 3; }
__attribute__((noinline)) void takes_arrays(int n, int list[n], int grid[static 2][3]) { grid[0][0] = list[0]; }
static inline int inlined(int x) { return x * 2; }
callback get_callback(void) { return 0; }

int with_locals(int n)
{
	struct local { int only_here; struct { char nested; } nested; } local = {n, {1}};
	enum local_enum { LOCAL_A = 1, LOCAL_B } e = LOCAL_A;
	typedef struct { short s; } local_type;
	local_type t = {3};
	{
		struct local { char other[3]; } block = {{1, 2, 3}};
		n += block.other[n & 1];
	}
	return local.only_here + local.nested.nested + (int)e + t.s + n;
}

int main(int argc, char **argv)
{
	point p = by_value((point){1, 2}, everything.bases);

	takes_arrays(2, table[0], table);
	return global_function(argc, argv[0]) + (int)static_function(&everything.outer) + variadic("a", 1) +
	       (int)floats(1, 2) + p.x + many(1, 2, 3, 4, 5, 6, 7, 8) + no_prototype() + unused_parameter(argc, 2) +
	       inlined(argc) + with_locals(argc) + (get_callback() != 0) + names[argc & 1][0];
}
