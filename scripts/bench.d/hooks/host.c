// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Calls a function again and again, and prints what a call takes: nanoseconds of the thread's own
 * time, the median of five rounds; of several threads, which call at once, the slowest one's. One
 * function for each way in which the kernel's uprobes treat the first instruction.
 *
 *     host FUNCTION CALLS [THREADS]
 *     host wait SECONDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct data {
	int a, b, c, d;
};

#define FUNCTION(name, first)                                                             \
	int name(struct data *d);                                                         \
	__asm__(".text\n.p2align 5\n.globl " #name "\n.type " #name ", @function\n" #name \
		":\n" first "mov (%rdi), %eax\nadd 8(%rdi), %eax\n" #name                 \
		"_end: ret\n.size " #name ", . - " #name "\n")

/* Executed in single steps. */
FUNCTION(ordinary, "mov 4(%rdi), %ecx\nxor %edx, %edx\n");
/* Emulated. */
FUNCTION(nop5, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n");

int push(struct data *d);
__asm__(".text\n.p2align 5\n.globl push\n.type push, @function\npush: push %rbp\nmov %rsp, %rbp\n"
	"mov (%rdi), %eax\nadd 8(%rdi), %eax\npop %rbp\nret\n.size push, . - push\n");

/* What an extension may acquire and release. */
struct data *bench_new_data(void);
void bench_free_data(struct data *d);

static struct data only = {1, 2, 3, 4};

__attribute__((noinline)) struct data *bench_new_data(void)
{
	__asm__ volatile("");
	return &only;
}

__attribute__((noinline)) void bench_free_data(struct data *d)
{
	__asm__ volatile("" : : "r"(d));
}

/* The pair, called from C. */
__attribute__((noinline)) int pair(struct data *d)
{
	struct data *own = bench_new_data();
	int sum = own->a + d->a;

	bench_free_data(own);
	return sum;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

enum { ROUNDS = 5, THREADS = 64 };

static int (*volatile call)(struct data *);
static long calls;
static pthread_barrier_t begin;

/* What a call takes, to *argument. */
static void *measure(void *argument)
{
	struct data own = {1, 2, 3, 4};
	double times[ROUNDS];

	/* The first one may be the one that has the kernel optimise the probe. */
	for (int i = 0; i < 100; i++)
		call(&own);
	for (int round = 0; round < ROUNDS; round++) {
		double start;

		pthread_barrier_wait(&begin);
		start = now();
		for (long i = 0; i < calls; i++)
			call(&own);
		times[round] = (now() - start) / (double)calls;
	}
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	*(double *)argument = times[ROUNDS / 2];
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*call)(struct data *);
	} functions[] = {{"ordinary", ordinary}, {"push", push}, {"nop5", nop5}, {"pair", pair}};
	long threads = argc > 3 ? atol(argv[3]) : 1;
	pthread_t thread[THREADS];
	double time[THREADS];

	calls = argc > 2 ? atol(argv[2]) : 0;
	if (argc > 2 && !strcmp(argv[1], "wait")) {
		sleep((unsigned)calls);
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strcmp(argv[1], functions[i].name))
			call = functions[i].call;
	if (!call || calls <= 0 || threads < 1 || threads > THREADS) {
		fprintf(stderr, "usage: %s ordinary|push|nop5|pair CALLS [THREADS]\n", argv[0]);
		return 2;
	}
	pthread_barrier_init(&begin, NULL, (unsigned)threads);
	for (long i = 1; i < threads; i++)
		if (pthread_create(&thread[i], NULL, measure, &time[i]))
			return 1;
	measure(&time[0]);
	for (long i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	qsort(time, (size_t)threads, sizeof(time[0]), compare);
	printf("%.2f\n", time[threads - 1]);
	return 0;
}
