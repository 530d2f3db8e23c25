// SPDX-License-Identifier: MIT OR Apache-2.0
// The application as it was built: the same names as in core.bpf.c, other layouts. The test puts the
// values of RED and WIDE right, which clang before 15 cuts off.

enum color { GREEN = 7, BLUE = 70000, RED = -3 };
enum gone_color { KEPT = 1 };
enum wide { WIDE = 0x1234567800000001 };

struct inner {
	char pad[3];
	int x;
	long y;
};

typedef struct {
	long before;
	int value;
} plain_t;

union either {
	long number;
	char bytes[24];
};

struct app_host {
	long moved[5];
	unsigned char first : 3;
	unsigned char second : 5;
	long padding;
	signed int negative : 9;
	unsigned int : 3;
	unsigned long far : 40;
	unsigned short widened;
	enum color color;
	struct inner inner;
	struct inner *pointer;
	signed char array[6][4];
	union {
		int nameless;
		struct {
			char skipped;
			short deep;
		};
	};
	plain_t plain;
	union either either;
};

/* Something of the application's whose name the kernel has, too. */
struct file {
	int descriptor;
	char path[20];
};

struct app_host host;
struct file file;
enum gone_color gone;
enum wide wide;
