// SPDX-License-Identifier: MIT OR Apache-2.0
/* A host one of whose functions does not return: it leaves by longjmp, over whoever called it. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

struct thing {
	int a;
};

static jmp_buf back;
static int held;

__attribute__((noinline)) struct thing *thing_new(void)
{
	held++;
	return calloc(1, sizeof(struct thing));
}

__attribute__((noinline)) void thing_free(struct thing *thing)
{
	held--;
	free(thing);
}

__attribute__((noinline)) int leave(int value)
{
	longjmp(back, value);
}

__attribute__((noinline)) int work(int value)
{
	__asm__ volatile("");
	return value;
}

int main(void)
{
	int most = 0;

	thing_free(thing_new());
	for (volatile int i = 0; i < 100; i++) {
		if (!setjmp(back))
			work(i);
		if (held > most)
			most = held;
	}
	printf("held at most %d\n", most);
	return most == 1 ? 0 : 1;
}
