/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What C can say of types, as far as both compilers know it. */
#pragma once

/* A declaration that the other unit completes, one that nothing does, and a forward enum. */
struct elsewhere;
union elsewhere_too;
struct nowhere;
enum late;

typedef int vector __attribute__((vector_size(16)));
typedef unsigned int number;
typedef number number_too;
typedef const volatile number hardware;
typedef int function(int, ...);
typedef void unprototyped();

enum negative { NEGATIVE = -1, POSITIVE = 0x7fffffff };
enum unsigned_wide { WIDE_ZERO, WIDE_MOST = 0xffffffffffffffffu };
enum signed_wide { WIDE_LEAST = -0x7fffffffffffffff - 1, WIDE_ONE = 1 };
enum __attribute__((packed)) tiny { TINY, TINY_MOST = 255 };
enum full { FULL = 0xffffffffu };

struct flexible { int length; struct { char key, value; } entries[]; };
struct zero_length { int length; int data[0]; };
struct empty {};

struct anonymous {
	int before;
	struct {
		int inner;
		union { int deep; float real; };
	};
	union { char letter; struct { short low, high; }; };
	int : 5;
	unsigned after : 3;
};

struct fields {
	unsigned a : 1, b : 31;
	unsigned long c : 33;
	signed char d : 7;
	_Bool e : 1;
	enum tiny f : 3;
	enum negative g : 31;
	int : 0;
	short h : 15;
	number_too i : 12;
	const int j : 2;
	unsigned __int128 k : 70;
};

struct __attribute__((packed)) packed {
	char c;
	unsigned short s : 9;
	double d;
	unsigned l : 20;
	long long m : 50;
};

struct atomic {
	_Atomic int value;
	_Atomic(struct flexible *) list;
	int *_Atomic pointer;
	_Atomic unsigned char byte;
};

struct numbers {
	_Bool bool_;
	char char_;
	signed char schar;
	unsigned char uchar;
	long long llong;
	unsigned long ulong_;
	__int128 huge;
	unsigned __int128 uhuge;
	float real4;
	double real8;
	long double real16;
	__float128 quad;
	_Complex float complex8;
	_Complex double complex16;
	_Complex long double complex32;
	vector four;
};

struct pointers {
	function *variadic;
	unprototyped *any;
	void (*nothing)(void);
	int (*(*nested)(int (*)(char), void *))(double);
	int (*rows)[3];
	int *columns[3];
	const char *const *volatile names;
	int *restrict alone;
	void *anything;
	hardware *port;
	function **table[2];
	int cube[2][3][4];
	enum late *late;
	struct elsewhere *elsewhere;
	union elsewhere_too *elsewhere_too;
	struct nowhere *nowhere;
	struct { struct pointers *back; } *unnamed;
};

struct aligned { char c; int wide __attribute__((aligned(32))); };

union all { struct numbers numbers; struct fields fields; char bytes[1]; };
