// SPDX-License-Identifier: MIT OR Apache-2.0
/* An application whose structs have names that the kernel uses for others. */
#include <stdio.h>

struct list_head {
	char pad[64];
	long next;
};

struct request {
	char pad[2000];
	int tag;
	struct list_head list;
};

struct file {
	char pad[3000];
	int f_flags;
};

struct stat {
	char pad[4000];
	int st_mode;
};

struct connection {
	char pad[5000];
	int id;
};

/* Not the probe's context. */
struct pt_regs {
	char pad[6000];
	long di;
};

__attribute__((noinline)) int handle(struct request *request, struct file *file, struct stat *stat,
				     struct connection *connection, struct pt_regs *regs)
{
	return request->tag + file->f_flags + stat->st_mode + connection->id + (int)regs->di +
	       (int)request->list.next;
}

int main(int argc, char **argv)
{
	static struct request request;
	static struct file file;
	static struct stat stat;
	static struct connection connection;
	static struct pt_regs regs;

	printf("%s %d\n", argv[0], argc);
	return handle(&request, &file, &stat, &connection, &regs);
}
