// SPDX-License-Identifier: MIT OR Apache-2.0
/* Types of every kind, reached from one pair of functions. */

/* Defined in zoo_hidden.c only. */
struct hidden;
/* Defined nowhere. */
struct opaque;

enum sign { MINUS = -1, ZERO, PLUS };
enum wide { NARROW, WIDE = 0x123456789abcdef0 };
enum deep { DEEP = -0x123456789abcdef0, SHALLOW = 1 };
enum __attribute__((packed)) tiny { TINY_A, TINY_B = 200 };

typedef struct {
	int a;
	int b;
} anonymous_t;

union either {
	int number;
	float real;
	char bytes[12];
};

struct bits {
	unsigned int low : 3;
	signed int signed_field : 5;
	unsigned int crossing : 30;
	_Bool flag : 1;
	enum sign sign : 2;
	unsigned long long wide : 40;
	unsigned int : 0;
	unsigned int after_gap : 4;
	/* Whole, in a struct that has bit-fields. */
	char whole;
	enum tiny tiny;
	struct {
		unsigned int inner : 7;
	};
};

struct list {
	struct list *next;
	struct list **previous;
};

struct right;

struct left {
	struct right *right;
};

struct right {
	struct left *left;
	struct left lefts[2];
};

struct __attribute__((packed)) packed {
	char c;
	double misaligned;
	long double far;
	short s;
};

typedef int callback_t(struct list *, int);
typedef const struct list *volatile const_list_t;

struct menagerie {
	_Bool yes;
	char c;
	signed char sc;
	unsigned char uc;
	short s;
	unsigned short us;
	int i;
	unsigned int ui;
	long l;
	unsigned long ul;
	long long ll;
	unsigned long long ull;
	__int128 huge;
	unsigned __int128 uhuge;
	float f;
	double d;
	long double ld;
	_Complex double complex;
	_Atomic int atomic;
	const int constant;
	volatile int changing;
	char *restrict alone;
	const char *const *strings;
	void *anything;
	const void *read_only;
	enum sign sign;
	enum wide wide;
	enum deep deep;
	enum tiny tiny;
	enum { UNNAMED_A, UNNAMED_B } unnamed;
	anonymous_t anonymous;
	union either either;
	union {
		int first;
		struct {
			short second;
			short third;
		};
	};
	struct bits bits;
	struct packed packed;
	struct list list;
	struct left left;
	struct hidden *hidden;
	struct opaque *opaque;
	int matrix[3][4][5];
	anonymous_t table[2];
	int none[0];
	int (*variadic)(const char *, ...);
	void (*plain)(void);
	callback_t *callback;
	struct opaque (*by_value)(struct opaque, enum sign);
	int (*(*chooser)(int))(char);
	const_list_t qualified;
	void (*handlers[4])(struct menagerie *);
	char flexible[];
};

static struct {
	struct menagerie one;
} zoo;

struct menagerie *menagerie_open(enum sign sign)
{
	zoo.one.sign = sign;
	return &zoo.one;
}

void menagerie_close(struct menagerie *m)
{
	m->yes = 0;
}
