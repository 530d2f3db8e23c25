/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the example hosts share: a loop that keeps them alive for long enough to be probed, and a
 * mark for the functions that a probe is put on. Nothing in here is needed to lend a function.
 */
#ifndef EXAMPLES_HOST_H
#define EXAMPLES_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#ifndef __has_attribute
#define __has_attribute(name) 0
#endif

/*
 * Every call must reach the function's entry, with its arguments where the ABI puts them: no
 * inlining, and (noipa, GCC only) no specialised clone that callers use instead.
 */
#if __has_attribute(noipa)
#define PROBED __attribute__((noipa))
#else
#define PROBED __attribute__((noinline))
#endif

/* Makes the compiler take @p's memory for read here, so that no call can be hoisted or merged. */
#define PROBED_USES(p) __asm__ volatile("" : : "r"(p) : "memory")

struct rounds {
	unsigned long done;
	unsigned long count; /* 0: until stopped */
	struct timespec interval;
};

static inline unsigned long host_number(const char *program, const char *text)
{
	char *end;

	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-') {
		fprintf(stderr, "%s: not a number: %s\n", program, text);
		fprintf(stderr, "usage: %s [COUNT [INTERVAL_MS]]   (COUNT 0: until stopped)\n",
			program);
		exit(2);
	}
	return value;
}

/* Reads `[COUNT [INTERVAL_MS]]`; once, without a pause, if nothing is given. */
static inline struct rounds host_start(int argc, char **argv)
{
	struct rounds rounds = {.count = 1};

	if (argc > 1)
		rounds.count = host_number(argv[0], argv[1]);
	if (argc > 2) {
		unsigned long ms = host_number(argv[0], argv[2]);

		rounds.interval.tv_sec = (time_t)(ms / 1000);
		rounds.interval.tv_nsec = (long)(ms % 1000) * 1000000;
	}
	/* A line must be seen as soon as it is printed, also by a reader of a pipe. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	return rounds;
}

/* True while there is another round to do; pauses between two rounds. */
static inline bool host_next(struct rounds *rounds)
{
	if (rounds->count != 0 && rounds->done == rounds->count)
		return false;
	if (rounds->done++ > 0)
		thrd_sleep(&rounds->interval, NULL);
	return true;
}

#endif /* EXAMPLES_HOST_H */
