/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What every program on a probe of the host begins with: the kernel's types, libbpf's helpers, and
 * BPF_UPROBE and BPF_URETPROBE, which give a probe the arguments of its function, or the result.
 */
#ifndef UPROBE_H
#define UPROBE_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* libbpf has the names from 1.2 on; they always were the same as these. */
#ifndef BPF_UPROBE
#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)
#define BPF_URETPROBE(name, args...) BPF_KRETPROBE(name, ##args)
#endif

#endif /* UPROBE_H */
