/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PID 1 of the guest once guest-init has laid the root file system: takes one command over the virtio port, runs it,
 * sends back its output as it comes and, last, its exit status. The host then ends the VM.
 *
 *	guest-agent
 */
#define _GNU_SOURCE
#include "frames.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int port = -1;

/* What the console shows; the host prints the console when it gets no exit status. */
static void say(const char *what, const char *on_what)
{
	dprintf(STDERR_FILENO, "ufunc-vm: %s%s%s%s%s\n", what, on_what ? " " : "",
		on_what ? on_what : "", errno ? ": " : "", errno ? strerror(errno) : "");
}

static void power_off(void)
{
	reboot(RB_AUTOBOOT); /* with qemu's -no-reboot it ends the VM at once, where a power-off needs ACPI */
	_exit(1);
}

static void fail(const char *what, const char *on_what)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s%s%s", what, on_what ? " " : "", on_what ? on_what : "",
		 errno ? ": " : "", errno ? strerror(errno) : "");
	say(what, on_what);
	if (port >= 0) {
		send_frame(port, FRAME_FAILED, text, strlen(text));
		sleep(10); /* the host ends the VM when it has read the frame */
	}
	power_off();
}

/* The port's device node is found by the name the host gave it: no udev runs here. */
static int open_port(void)
{
	const char *class = "/sys/class/virtio-ports";

	for (int tries = 0; tries < 500; tries++) {
		DIR *dir = opendir(class);
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[512], name[64] = "";
			int fd;

			snprintf(path, sizeof(path), "%s/%s/name", class, entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (read(fd, name, sizeof(name) - 1) < 0)
				name[0] = 0;
			close(fd);
			name[strcspn(name, "\n")] = 0;
			if (strcmp(name, PORT_NAME))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			closedir(dir);
			return open(path, O_RDWR | O_CLOEXEC);
		}
		if (dir)
			closedir(dir);
		usleep(10000);
	}
	errno = ENODEV;
	return -1;
}

/* Reads exactly so much from the port. A port whose host end is not open yet answers 0: wait. */
static void read_port(void *data, size_t length)
{
	char *p = data;

	while (length) {
		ssize_t n = read(port, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("failed to read the virtio port", NULL);
		if (n == 0) {
			usleep(5000);
			continue;
		}
		p += n;
		length -= (size_t)n;
	}
}

/* Payload in memory of its own, with a NUL after it. */
static char *read_frame(struct frame_header *header)
{
	char *payload;

	read_port(header, sizeof(*header));
	if (header->length > FRAME_MAX) {
		errno = EMSGSIZE;
		fail("failed to understand the host", NULL);
	}
	payload = malloc(header->length + 1);
	if (!payload)
		fail("failed to read a frame", NULL);
	read_port(payload, header->length);
	payload[header->length] = 0;
	return payload;
}

struct job {
	char *nonce;
	int tty;
	struct winsize size;
	char *directory;
	char **argv;
};

/* Splits START's strings; sets the environment as it says. */
static struct job read_job(void)
{
	struct frame_header header;
	char *payload = read_frame(&header);
	char *end = payload + header.length, *p = payload;
	struct job job = {0};
	char *strings[6];
	int argc;

	if (header.type != FRAME_START) {
		errno = EPROTO;
		fail("failed to understand the host", NULL);
	}
	for (int i = 0; i < 6; i++) {
		if (p >= end) {
			errno = EPROTO;
			fail("failed to understand the host", NULL);
		}
		strings[i] = p;
		p += strlen(p) + 1;
	}
	job.nonce = strings[0];
	job.tty = atoi(strings[1]);
	job.size.ws_row = (unsigned short)atoi(strings[2]);
	job.size.ws_col = (unsigned short)atoi(strings[3]);
	job.directory = strings[4];
	argc = atoi(strings[5]);
	job.argv = calloc((size_t)argc + 1, sizeof(*job.argv));
	if (argc < 1 || !job.argv) {
		errno = EPROTO;
		fail("failed to understand the host", NULL);
	}
	for (int i = 0; i < argc && p < end; i++, p += strlen(p) + 1)
		job.argv[i] = p;
	clearenv();
	for (; p < end; p += strlen(p) + 1)
		putenv(p);
	return job;
}

static void raise_limits(void)
{
	const struct rlimit files = {1 << 20, 1 << 20}, unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* older BPF tools count maps against it */
	setrlimit(RLIMIT_NPROC, &unlimited);
}

static void become_command(const struct job *job)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(job->argv[0], job->argv);
	dprintf(STDERR_FILENO, "ufunc-vm: failed to run %s in the guest: %s\n", job->argv[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The command's ends as this side sees them; -1: closed. With a terminal, in and out are the same one and err is none. */
struct child {
	pid_t pid;
	int in, out, err;
};

static struct child start(const struct job *job)
{
	struct child child = {.in = -1, .out = -1, .err = -1};
	int in[2], out[2], err[2];

	if (chdir(job->directory))
		fail("failed to enter in the guest the directory", job->directory);
	setenv("PWD", job->directory, 1);
	if (job->tty) {
		child.pid = forkpty(&child.out, NULL, NULL, &job->size);
		if (child.pid < 0)
			fail("failed to start the command on a terminal", NULL);
		if (!child.pid)
			become_command(job);
		child.in = dup(child.out);
		return child;
	}
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("failed to make pipes", NULL);
	child.pid = fork();
	if (child.pid < 0)
		fail("failed to start the command", NULL);
	if (!child.pid) {
		setsid();
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		become_command(job);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	child.in = in[1];
	child.out = out[0];
	child.err = err[0];
	fcntl(child.in, F_SETFL, O_NONBLOCK);
	return child;
}

/* Sends on what there is; closes at the end. Returns whether something came. */
static int pass_on(int *fd, enum frame_type type)
{
	static char buffer[CHUNK];
	ssize_t n = read(*fd, buffer, sizeof(buffer));

	if (n > 0)
		return send_frame(port, type, buffer, (size_t)n) == 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	close(*fd); /* end of file, or EIO: the last one on the terminal is gone */
	*fd = -1;
	return 0;
}

/* Waits for the command and passes its output and input on. Returns its wait status. */
static int serve(const struct job *job, struct child *child)
{
	char *input = NULL;
	size_t input_at = 0, input_length = 0;
	int status = 0, running = 1, signals;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	/* While input waits for a command that does not read it, the port is not read: the host stops by itself. */
	while (running) {
		struct pollfd pfds[] = {
			{.fd = signals, .events = POLLIN},
			{.fd = child->out, .events = POLLIN},
			{.fd = child->err, .events = POLLIN},
			{.fd = input ? child->in : port, .events = input ? POLLOUT : POLLIN},
		};

		if (poll(pfds, 4, -1) < 0 && errno != EINTR)
			fail("failed to wait for the command", NULL);
		if (pfds[1].revents)
			pass_on(&child->out, FRAME_STDOUT);
		if (pfds[2].revents)
			pass_on(&child->err, FRAME_STDERR);
		if (!input && (pfds[3].revents & POLLIN)) {
			struct frame_header header;
			char *payload = read_frame(&header);

			if (header.type == FRAME_STDIN && header.length && child->in >= 0) {
				input = payload;
				input_at = 0;
				input_length = header.length;
				continue;
			}
			if (header.type == FRAME_STDIN && !header.length && child->in >= 0 &&
			    !job->tty) {
				close(child->in);
				child->in = -1;
			}
			if (header.type == FRAME_WINSIZE && job->tty) {
				struct winsize size = {.ws_row = (unsigned short)atoi(payload)};

				size.ws_col = (unsigned short)atoi(
					payload + strnlen(payload, header.length) + 1);
				ioctl(child->out, TIOCSWINSZ, &size);
			}
			free(payload);
		} else if (input && pfds[3].revents) {
			ssize_t n = write(child->in, input + input_at, input_length - input_at);

			if (n > 0)
				input_at += (size_t)n;
			if (input_at == input_length ||
			    (n < 0 && errno != EAGAIN && errno != EINTR)) {
				if (n < 0) {
					close(child->in);
					child->in = -1;
				}
				free(input);
				input = NULL;
			}
		}
		if (pfds[0].revents) {
			struct signalfd_siginfo info;
			int wait_status;
			pid_t pid;

			while (read(signals, &info, sizeof(info)) > 0)
				;
			while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
				if (pid != child->pid)
					continue; /* an orphan, which PID 1 inherits */
				status = wait_status;
				running = 0;
			}
		}
	}
	/* What is in the pipes still counts; processes that the command left behind do not hold the run up. */
	if (child->out >= 0) {
		fcntl(child->out, F_SETFL, O_NONBLOCK);
		while (child->out >= 0 && pass_on(&child->out, FRAME_STDOUT))
			;
	}
	if (child->err >= 0) {
		fcntl(child->err, F_SETFL, O_NONBLOCK);
		while (child->err >= 0 && pass_on(&child->err, FRAME_STDERR))
			;
	}
	return status;
}

int main(void)
{
	char text[128];
	struct child child;
	struct job job;
	sigset_t chld;
	int status;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	port = open_port();
	if (port < 0)
		fail("failed to open the virtio port", PORT_NAME);
	raise_limits();
	if (send_frame(port, FRAME_READY, NULL, 0))
		fail("failed to write the virtio port", NULL);
	job = read_job();
	child = start(&job);
	status = serve(&job, &child);
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	snprintf(text, sizeof(text), "%s %d", job.nonce, status);
	send_frame(port, FRAME_EXIT, text, strlen(text));
	sleep(10);
	power_off();
}
