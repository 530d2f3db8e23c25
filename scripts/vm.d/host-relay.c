/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Starts qemu, gives the guest's agent a command, passes input and output on, and ends qemu. Keeps no state but one word
 * in a file, which says how the run ended; see usage().
 */
#define _GNU_SOURCE
#include "frames.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#define QEMU_FD 3

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};

static const char *outcome_path, *qemu_log_path = "/dev/null";
static pid_t qemu = -1;
static struct termios saved_terminal;
static int terminal_is_raw;

static void usage(void)
{
	fprintf(stderr,
		"usage: host-relay [OPTIONS] -- COMMAND… QEMU…\n"
		"  --argc N          how many of the words after -- are COMMAND; the rest starts qemu, whose\n"
		"                    -chardev socket,fd=%d leads to the port " PORT_NAME "\n"
		"  --directory DIR   COMMAND's directory in the guest\n"
		"  --env NAME=VALUE  COMMAND's environment, any number of times\n"
		"  --tty             give COMMAND a terminal, this one's double\n"
		"  --boot-timeout S  give up when the agent has not answered after S seconds\n"
		"  --timeout S       give up S seconds after the start\n"
		"  --qemu-log FILE   gets what qemu itself has to say\n"
		"  --outcome FILE    gets a line: exit N, timeout, boot-timeout, lost, failed WHY, interrupted N\n"
		"exit status: COMMAND's; 124: timeout; 125: anything else that kept COMMAND from ending\n",
		QEMU_FD);
	exit(125);
}

/* The one way out: the terminal as it was, qemu gone, the outcome written. */
static void finish(int status, const char *outcome, const char *detail)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
	if (qemu > 0) {
		kill(qemu, SIGKILL);
		waitpid(qemu, NULL, 0);
	}
	if (outcome_path) {
		int fd = open(outcome_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 ||
		    dprintf(fd, "%s%s%s\n", outcome, detail ? " " : "", detail ? detail : "") < 0) {
			fprintf(stderr, "host-relay: failed to write %s: %s\n", outcome_path,
				strerror(errno));
			exit(125);
		}
		close(fd);
	}
	exit(status);
}

static void fail(const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	finish(125, "failed", text);
}

static void make_terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved_terminal))
		fail("failed to read the terminal's settings");
	raw = saved_terminal;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		fail("failed to set the terminal");
	terminal_is_raw = 1;
}

static struct winsize terminal_size(void)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) || !size.ws_row)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (!size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

static int start_qemu(char **argv)
{
	int sockets[2], null, log;
	sigset_t none;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		fail("failed to make a socket pair");
	qemu = fork();
	if (qemu < 0)
		fail("failed to fork");
	if (qemu) {
		close(sockets[1]);
		return sockets[0];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the relay itself is killed */
	setsid(); /* the terminal's Ctrl-C is the relay's to handle */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	log = open(qemu_log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(null, STDIN_FILENO);
	dup2(log < 0 ? null : log, STDOUT_FILENO);
	dup2(log < 0 ? null : log, STDERR_FILENO);
	if (sockets[1] == QEMU_FD)
		fcntl(QEMU_FD, F_SETFD, 0);
	else
		dup2(sockets[1], QEMU_FD);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "failed to start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Appends a string and its NUL to the START frame. */
static void append(char **at, char *end, const char *text)
{
	size_t length = strlen(text) + 1;

	if (length > (size_t)(end - *at)) {
		errno = E2BIG;
		fail("failed to send the command");
	}
	memcpy(*at, text, length);
	*at += length;
}

static void append_number(char **at, char *end, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	append(at, end, text);
}

struct run {
	int argc, tty, env_count;
	char **argv, **env;
	const char *directory;
	char nonce[33];
};

static void send_start(int fd, const struct run *run)
{
	static char buffer[FRAME_MAX];
	char *at = buffer, *end = buffer + sizeof(buffer);
	struct winsize size = terminal_size();

	append(&at, end, run->nonce);
	append_number(&at, end, run->tty);
	append_number(&at, end, size.ws_row);
	append_number(&at, end, size.ws_col);
	append(&at, end, run->directory);
	append_number(&at, end, run->argc);
	for (int i = 0; i < run->argc; i++)
		append(&at, end, run->argv[i]);
	for (int i = 0; i < run->env_count; i++)
		append(&at, end, run->env[i]);
	if (send_frame(fd, FRAME_START, buffer, (size_t)(at - buffer)))
		fail("failed to send the command");
}

/*
 * Frames on their way to the guest. Never waited for: a guest that does not read its input may just be waiting for its
 * output to be read.
 */
static char queue[2 * CHUNK];
static size_t queued;

static void flush_queue(int fd)
{
	while (queued) {
		ssize_t n = send(fd, queue, queued, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* full; or gone, which reading will tell */
		queued -= (size_t)n;
		memmove(queue, queue + n, queued);
	}
}

/* Input is read only while the queue is empty, so that there is room for a chunk and some sizes of the window. */
static void queue_frame(int fd, enum frame_type type, const void *data, size_t length)
{
	struct frame_header header = {.type = type, .length = (uint32_t)length};

	if (queued + sizeof(header) + length > sizeof(queue))
		return;
	memcpy(queue + queued, &header, sizeof(header));
	if (length)
		memcpy(queue + queued + sizeof(header), data, length);
	queued += sizeof(header) + length;
	flush_queue(fd);
}

static void send_size(int fd)
{
	struct winsize size = terminal_size();
	char buffer[64], *at = buffer;

	append_number(&at, buffer + sizeof(buffer), size.ws_row);
	append_number(&at, buffer + sizeof(buffer), size.ws_col);
	queue_frame(fd, FRAME_WINSIZE, buffer, (size_t)(at - buffer));
}

static void take_exit(const struct run *run, const char *payload)
{
	size_t length = strlen(run->nonce);
	char *end, text[16];
	long status;

	if (strncmp(payload, run->nonce, length) || payload[length] != ' ')
		finish(125, "failed", "the guest gave an exit status that is not this run's");
	status = strtol(payload + length + 1, &end, 10);
	if (*end || end == payload + length + 1 || status < 0 || status > 255)
		finish(125, "failed", "the guest gave an exit status that is no number");
	snprintf(text, sizeof(text), "%ld", status);
	finish((int)status, "exit", text);
}

/* Output that nobody reads any more (a closed pipe) ends the run as it would end a local command: by SIGPIPE. */
static void pass_output(int fd, const char *data, size_t length)
{
	if (!write_all(fd, data, length))
		return;
	if (errno == EPIPE)
		finish(128 + SIGPIPE, "interrupted", "13");
	fail("failed to write the command's output");
}

static void take_frame(int fd, const struct run *run, uint32_t type, char *payload, size_t length,
		       int *started)
{
	switch (type) {
	case FRAME_READY:
		*started = 1;
		send_start(fd, run);
		break;
	case FRAME_STDOUT:
		pass_output(STDOUT_FILENO, payload, length);
		break;
	case FRAME_STDERR:
		pass_output(STDERR_FILENO, payload, length);
		break;
	case FRAME_EXIT:
		take_exit(run, payload);
		break;
	case FRAME_FAILED:
		finish(125, "failed", payload);
		break;
	default:
		finish(125, "failed", "the guest sent something that is no frame");
	}
}

/* Reads what there is and handles the whole frames in it. Returns 0 at the end of the stream. */
static int take_input(int fd, const struct run *run, int *started)
{
	static char buffer[sizeof(struct frame_header) + FRAME_MAX + 1];
	static size_t have;
	ssize_t n = read(fd, buffer + have, sizeof(buffer) - 1 - have);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return 0;
	have += (size_t)n;
	for (;;) {
		struct frame_header header;
		size_t whole;
		char saved;

		if (have < sizeof(header))
			return 1;
		memcpy(&header, buffer, sizeof(header));
		if (header.length > FRAME_MAX)
			finish(125, "failed", "the guest sent something that is no frame");
		whole = sizeof(header) + header.length;
		if (have < whole)
			return 1;
		saved = buffer[whole];
		buffer[whole] = 0;
		take_frame(fd, run, header.type, buffer + sizeof(header), header.length, started);
		buffer[whole] = saved;
		memmove(buffer, buffer + whole, have - whole);
		have -= whole;
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Ctrl-C, a kill, or a resized window. */
static void take_signal(int signals, int agent, int started)
{
	struct signalfd_siginfo info;
	char text[16];

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			if (started)
				send_size(agent);
			continue;
		}
		snprintf(text, sizeof(text), "%u", info.ssi_signo);
		finish(128 + (int)info.ssi_signo, "interrupted", text);
	}
}

static void serve(int agent, const struct run *run, double boot_timeout, double timeout)
{
	static char buffer[CHUNK];
	/* A terminal is not read without --tty: a run in the background must not stop for it. */
	int input = run->tty || !isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
	int started = 0, told_end = 0, signals;
	double begin = now();
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++)
		sigaddset(&set, watched[i]);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		fail("failed to watch for signals");
	for (;;) {
		struct pollfd pfds[] = {
			{.fd = agent, .events = queued ? POLLIN | POLLOUT : POLLIN},
			{.fd = signals, .events = POLLIN},
			{.fd = started && !queued ? input : -1, .events = POLLIN},
		};
		int booting = !started && (!timeout || boot_timeout < timeout);
		double limit = booting ? boot_timeout : timeout;
		double left = limit - (now() - begin);

		if (limit && left <= 0) {
			if (booting)
				finish(125, "boot-timeout", NULL);
			finish(124, "timeout", NULL);
		}
		if (poll(pfds, 3, limit ? (int)(left * 1000) + 1 : -1) < 0 && errno != EINTR)
			fail("failed to wait for the guest");
		if (pfds[1].revents)
			take_signal(signals, agent, started);
		if (pfds[0].revents & POLLOUT)
			flush_queue(agent);
		if (pfds[0].revents & ~POLLOUT && !take_input(agent, run, &started))
			finish(125, "lost", NULL);
		if (pfds[2].revents) {
			ssize_t n = read(input, buffer, sizeof(buffer));

			if (n > 0)
				queue_frame(agent, FRAME_STDIN, buffer, (size_t)n);
			else if (n == 0 || (errno != EINTR && errno != EAGAIN))
				input = -1;
		}
		if (started && input == -1 && !queued && !told_end) {
			queue_frame(agent, FRAME_STDIN, NULL, 0);
			told_end = 1;
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"argc", required_argument, NULL, 'n'},
		{"directory", required_argument, NULL, 'd'},
		{"env", required_argument, NULL, 'e'},
		{"tty", no_argument, NULL, 't'},
		{"boot-timeout", required_argument, NULL, 'b'},
		{"timeout", required_argument, NULL, 'l'},
		{"outcome", required_argument, NULL, 'o'},
		{"qemu-log", required_argument, NULL, 'q'},
		{0},
	};
	struct run run = {.directory = "/"};
	double boot_timeout = 120, timeout = 0;
	unsigned char random_bytes[16];
	sigset_t set;
	int option, agent;

	run.env = calloc((size_t)argc, sizeof(*run.env));
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			run.argc = atoi(optarg);
			break;
		case 'd':
			run.directory = optarg;
			break;
		case 'e':
			run.env[run.env_count++] = optarg;
			break;
		case 't':
			run.tty = 1;
			break;
		case 'b':
			boot_timeout = atof(optarg);
			break;
		case 'l':
			timeout = atof(optarg);
			break;
		case 'o':
			outcome_path = optarg;
			break;
		case 'q':
			qemu_log_path = optarg;
			break;
		default:
			usage();
		}
	}
	if (run.argc < 1 || argc - optind <= run.argc)
		usage();
	run.argv = argv + optind;
	if (getrandom(random_bytes, sizeof(random_bytes), 0) != (ssize_t)sizeof(random_bytes))
		fail("failed to get random bytes");
	for (size_t i = 0; i < sizeof(random_bytes); i++)
		snprintf(run.nonce + 2 * i, 3, "%02x", random_bytes[i]);

	/* A shell starts background jobs with these ignored, and what is ignored never reaches a signalfd. */
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		signal(watched[i], SIG_DFL);
		sigaddset(&set, watched[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (run.tty)
		make_terminal_raw();
	agent = start_qemu(run.argv + run.argc);
	serve(agent, &run, boot_timeout, timeout);
	return 125;
}
