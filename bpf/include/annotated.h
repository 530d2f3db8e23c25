/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What an extension must know of the host examples/annotated.
 */
#ifndef ANNOTATED_H
#define ANNOTATED_H

struct buffer {
	int id;
	int tag;
	char text[16];
} __attribute__((preserve_access_index));

/* From the heap. */
extern struct buffer *buffer_new(void) __ksym;
extern void drop_buffer(struct buffer *b) __ksym;

/* From the pool. */
extern struct buffer *checkout(int slot) __ksym;
extern void hand_back(struct buffer *b) __ksym;

/* Takes either. */
extern void set_tag(struct buffer *b, int tag) __ksym;

#endif /* ANNOTATED_H */
