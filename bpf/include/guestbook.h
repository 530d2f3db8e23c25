/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What an extension must know of the host examples/guestbook.
 */
#ifndef GUESTBOOK_H
#define GUESTBOOK_H

struct visitor {
	int number;
	int visits;
	char name[16];
} __attribute__((preserve_access_index));

/* The message is a literal, or another string that is constant and global. */
extern void say(int level, const char *message) __ksym;

/* The bytes are on the stack, or in a map. */
extern int write_bytes(const void *bytes, size_t count) __ksym;

/* To look at, or NULL. */
extern struct visitor *find_visitor(int number) __ksym;

/* To give back. */
extern struct visitor *new_visitor(int number) __ksym;
extern void free_visitor(struct visitor *visitor) __ksym;

/* About somebody or NULL; the kind is a constant. */
extern void remark(struct visitor *about, int kind) __ksym;

/* Sleeps. */
extern void settle(void) __ksym;

#endif /* GUESTBOOK_H */
