/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What guest-agent.c and host-relay.c say to each other over one virtio port: a stream of frames, each an 8-byte
 * header and its payload. One ordered stream means that the exit frame arrives after all output of the command.
 */
#ifndef UFUNC_VM_FRAMES_H
#define UFUNC_VM_FRAMES_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define PORT_NAME "ufunc.agent"

enum frame_type {
	/* guest to host */
	FRAME_READY = 'R', /* the agent is up and waits for FRAME_START */
	FRAME_STDOUT = 'O',
	FRAME_STDERR = 'E',
	FRAME_EXIT = 'X', /* "NONCE STATUS": only an agent that got this run's nonce can say it */
	FRAME_FAILED =
		'F', /* the command could not be started for a reason of the VM's, in words */
	/* host to guest */
	FRAME_START =
		'S', /* NUL-ended strings: nonce, tty, rows, columns, directory, argc, argv…, environment… */
	FRAME_STDIN = 'I', /* no payload: end of input */
	FRAME_WINSIZE = 'W', /* NUL-ended strings: rows, columns */
};

struct frame_header {
	uint32_t type;
	uint32_t length;
};

/* Larger frames are refused: a length beyond this is a broken stream, not a frame. START may carry a long command line. */
#define FRAME_MAX (4u << 20)
#define CHUNK 32768

/* Writes all of it, also to a descriptor that does not block. */
static int write_all(int fd, const void *data, size_t length)
{
	const char *p = data;

	while (length) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};

			poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

static int send_frame(int fd, enum frame_type type, const void *data, size_t length)
{
	/* One write for small frames: each write is a round trip through the virtio queue. */
	static char buffer[sizeof(struct frame_header) + CHUNK];
	struct frame_header header = {.type = type, .length = (uint32_t)length};

	memcpy(buffer, &header, sizeof(header));
	if (length <= CHUNK) {
		if (length)
			memcpy(buffer + sizeof(header), data, length);
		return write_all(fd, buffer, sizeof(header) + length);
	}
	if (write_all(fd, buffer, sizeof(header)))
		return -1;
	return write_all(fd, data, length);
}

#endif
