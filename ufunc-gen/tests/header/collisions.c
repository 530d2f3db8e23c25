// SPDX-License-Identifier: MIT OR Apache-2.0
/* A host whose names the kernel has, too: some for the same, most for something else. */
#include <stddef.h>
#include <stdlib.h>

typedef unsigned long u64;
typedef unsigned int u32;
typedef int pid_t;
typedef struct file *fmode_t;

enum zone_type { ZONE_RED, ZONE_NORMAL, ZONE_MAX };

struct list_head {
	struct list_head *only;
};

struct file {
	char path[24];
	u64 size;
	u32 flags : 3, mode : 9;
	enum zone_type zone;
	struct list_head list;
	fmode_t next;
	pid_t owner;
};

union bpf_attr {
	int a;
	struct file file;
};

struct only_here {
	struct file file;
	union bpf_attr attr;
	double ratio;
	float half;
	_Bool done;
	__int128 large;
	int (*call)(struct file *file, size_t size);
};

struct only_here everything;

struct file *file_new(void)
{
	return malloc(sizeof(struct file));
}

void file_free(struct file *file)
{
	free(file);
}

int file_flags(const struct file *file, u32 mask)
{
	return file->flags & mask;
}

int main(void)
{
	struct file *file = file_new();
	int flags = file ? file_flags(file, 1) : 0;

	file_free(file);
	return flags + everything.done;
}
