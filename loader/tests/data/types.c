// SPDX-License-Identifier: MIT OR Apache-2.0
/* An application that has a struct of a name that the kernel uses as well. */
#include <stdio.h>

struct file {
	char path[1000];
	unsigned int f_flags;
	union {
		int read;
		int written;
	};
};

enum mode { MODE_OFF, MODE_ON };

__attribute__((noinline)) unsigned int flags(struct file *file, enum mode mode)
{
	return file->f_flags + mode;
}

int main(int argc, char **argv)
{
	struct file file = {.f_flags = argc};

	snprintf(file.path, sizeof(file.path), "%s", argv[0]);
	return flags(&file, MODE_ON) == 0;
}
