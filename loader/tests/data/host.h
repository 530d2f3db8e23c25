/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the test programs share. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";
