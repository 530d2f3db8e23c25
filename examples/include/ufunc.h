/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ufunc.h - say in the application's source which functions it lends to extensions.
 *
 *	#include "ufunc.h"
 *
 *	struct session *session_open(int id);      // NULL if there is none
 *	void session_close(struct session *s);
 *	void session_count(struct session *s, int by);
 *
 *	UFUNC_ACQUIRE(session_open);
 *	UFUNC_RELEASE(session_close);
 *	UFUNC_PLAIN(session_count);
 *
 * UFUNC_ACQUIRE(fn)   fn hands out an object or NULL. The extension must check for NULL, and must
 *                     release the object, once, on every path.
 * UFUNC_RELEASE(fn)   fn takes such an object back.
 * UFUNC_PLAIN(fn)     fn neither hands out nor takes back; it may only be called.
 *
 * Where one struct has several pairs (a pool's and the heap's, say), tell them apart by a family,
 * a bare identifier; what one family handed out then only goes back to the same family:
 *
 *	UFUNC_ACQUIRE_FAMILY(pool_get, pool);
 *	UFUNC_RELEASE_FAMILY(pool_put, pool);
 *
 * Where to write it: at file scope, after the function's declaration, once per function, with a
 * semicolon. Name the function itself, as a debugger would (`ns::fn` in C++), not a macro that
 * stands for it. The name must be the only one of its kind in the program: not an overloaded
 * function, nor a static one that another file has too. A misspelled name does not compile.
 *
 * What it costs: a note of about 50 bytes in the ELF file, which survives strip, and a pointer
 * that keeps the function from being dropped. Nothing runs.
 *
 * Compilers: GCC and clang in GNU C99, C11 and later and C++, with any linker that makes ELF. To
 * keep a function that nothing else refers to through `-Wl,--gc-sections`, the compiler must know
 * __attribute__((retain)) (GCC 11, clang 13) and the linker SHF_GNU_RETAIN (GNU ld 2.36, lld 13).
 * With older ones such a function may go, while its note stays; the generator then reports it.
 *
 * What is written (format version 1): one ELF note per use, in section .note.ufunc, with the name
 * "ufunc", the format's version as its type, and as its descriptor NUL-terminated strings
 * "role=acquire|release|plain", "fn=<as written>" and, if there is one, "family=<name>".
 */
#ifndef UFUNC_H
#define UFUNC_H

#ifndef __ELF__
#error "ufunc.h: an ELF target is needed"
#endif

#define UFUNC_ACQUIRE(fn) UFUNC_NOTE_(fn, "acquire", #fn, "")
#define UFUNC_RELEASE(fn) UFUNC_NOTE_(fn, "release", #fn, "")
#define UFUNC_PLAIN(fn) UFUNC_NOTE_(fn, "plain", #fn, "")
#define UFUNC_ACQUIRE_FAMILY(fn, family) \
	UFUNC_NOTE_(fn, "acquire", #fn, ".asciz \"family=" #family "\"\n")
#define UFUNC_RELEASE_FAMILY(fn, family) \
	UFUNC_NOTE_(fn, "release", #fn, ".asciz \"family=" #family "\"\n")

/* The rest is not for use outside this file. */

/*
 * The note is assembly, because compilers disagree on the section type that a variable's section
 * attribute gives. Its text refers to no symbol: it needs no relocation, and the linker keeps
 * notes through --gc-sections. The pointer beside it is the reference that keeps the function,
 * and what makes a misspelled name an error.
 */
/* clang-format off */
#define UFUNC_NOTE_(fn, kind, name, family)                                \
	__asm__(".pushsection .note.ufunc, \"a\", %note\n"                 \
		".balign 4\n"                                              \
		".4byte 6\n"           /* size of the name */              \
		".4byte 992f - 991f\n" /* size of the descriptor */        \
		".4byte 1\n"           /* type: the format's version */    \
		".asciz \"ufunc\"\n"                                       \
		".balign 4\n"                                              \
		"991:\n"                                                   \
		".asciz \"role=" kind "\"\n"                               \
		".asciz \"fn=" name "\"\n"                                 \
		family                                                     \
		"992:\n"                                                   \
		".balign 4\n"                                              \
		".popsection\n");                                          \
	static __typeof__(&fn) const UFUNC_JOIN_(ufunc_keep_, __COUNTER__) \
		UFUNC_KEEP_ = &fn
/* clang-format on */

#define UFUNC_JOIN_(a, b) UFUNC_JOIN2_(a, b)
#define UFUNC_JOIN2_(a, b) a##b

#if defined(__has_attribute)
#if __has_attribute(retain)
#define UFUNC_KEEP_ __attribute__((__used__, __retain__))
#endif
#endif
#ifndef UFUNC_KEEP_
#define UFUNC_KEEP_ __attribute__((__used__))
#endif

#endif /* UFUNC_H */
