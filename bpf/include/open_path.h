/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What the programs on the system call openat share.
 */
#ifndef OPEN_PATH_H
#define OPEN_PATH_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_OPENAT 257
#else /* The number that newer architectures share. */
#define SYSCALL_OPENAT 56
#endif

/* The longest path that the kernel takes, and a power of two. */
#define PATH_MAX 4096

/* Whether the host examples/btf-base runs: the whole machine opens files all the time. */
static __always_inline bool is_host(void)
{
	char name[16] = {};

	bpf_get_current_comm(name, sizeof(name));
	return bpf_strncmp(name, sizeof(name), "btf-base") == 0;
}

#endif /* OPEN_PATH_H */
