// SPDX-License-Identifier: MIT OR Apache-2.0
//
// measure LIMIT COMMAND [ARG…]: runs COMMAND and writes a line to descriptor 3: microseconds it took, KiB of its peak
// memory, and its exit status (128 and the signal's number if one ended it). Ends it after LIMIT seconds.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void end_child(int signal)
{
	(void)signal;
	kill(child, SIGKILL);
}

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	long long begin;
	int status;

	if (argc < 3) {
		fputs("usage: measure LIMIT COMMAND [ARG...]\n", stderr);
		return 2;
	}
	signal(SIGALRM, end_child);
	begin = now_us();
	// What the child has of this process before it becomes COMMAND counts as its memory too: next to nothing.
	child = vfork();
	if (child < 0) {
		perror("measure: vfork");
		return 2;
	}
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	alarm((unsigned int)atoi(argv[1]));
	while (wait4(child, &status, 0, &usage) < 0) {
		if (errno != EINTR) {
			perror("measure: wait4");
			return 2;
		}
	}
	dprintf(3, "%lld %ld %d\n", now_us() - begin, usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
