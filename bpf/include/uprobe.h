/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What every program here begins with: the kernel's types, libbpf's helpers and BPF_UPROBE, which
 * gives a probe the arguments of the function that it is on.
 */
#ifndef UPROBE_H
#define UPROBE_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* libbpf has the name from 1.2 on; it always was the same as BPF_KPROBE. */
#ifndef BPF_UPROBE
#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)
#endif

#endif /* UPROBE_H */
