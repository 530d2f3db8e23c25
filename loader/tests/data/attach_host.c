// SPDX-License-Identifier: MIT OR Apache-2.0
/* An application that does the same thing so many times, and has a probe of its own (USDT). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct data {
	int a;
	int b;
	int c;
};

/* What <sys/sdt.h> makes of DTRACE_PROBE1(attach_host, work, number). */
#define PROBE(number)                                                                            \
	__asm__ volatile("990: nop\n"                                                            \
			 ".pushsection .note.stapsdt,\"?\",\"note\"\n"                           \
			 ".balign 4\n"                                                           \
			 ".4byte 992f-991f, 994f-993f, 3\n"                                      \
			 "991: .asciz \"stapsdt\"\n"                                             \
			 "992: .balign 4\n"                                                      \
			 "993: .8byte 990b\n"                                                    \
			 ".8byte _.stapsdt.base\n"                                               \
			 ".8byte 0\n"                                                            \
			 ".asciz \"attach_host\"\n"                                              \
			 ".asciz \"work\"\n"                                                     \
			 ".asciz \"-4@%0\"\n"                                                    \
			 "994: .balign 4\n"                                                      \
			 ".popsection\n"                                                         \
			 ".ifndef _.stapsdt.base\n"                                              \
			 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
			 ".weak _.stapsdt.base\n"                                                \
			 ".hidden _.stapsdt.base\n"                                              \
			 "_.stapsdt.base: .space 1\n"                                            \
			 ".size _.stapsdt.base, 1\n"                                             \
			 ".popsection\n"                                                         \
			 ".endif\n"                                                              \
			 :                                                                       \
			 : "r"(number))

__attribute__((noipa)) int add_test(struct data *d)
{
	return d->a + d->c;
}

__attribute__((noipa)) int add_more(int number)
{
	PROBE(number);
	return number + 1;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	struct timespec pause = {.tv_nsec = argc > 2 ? atol(argv[2]) * 1000000 : 0};
	struct data d = {.a = 1, .b = 2, .c = 3};

	for (int round = 0; round < rounds; round++) {
		char *text = malloc(32);

		if (!text)
			return 1;
		snprintf(text, 32, "%d %d", add_test(&d), add_more(41));
		if (strcmp(text, "4 42") != 0)
			return 2;
		free(text);
		nanosleep(&pause, NULL);
	}
	return 0;
}
