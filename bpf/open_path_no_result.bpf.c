// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Decoding the path, first attempt: a program must return a value, and this one returns none.
 *
 * host: btf-base
 * expect: rejected: R0 !read_ok
 */
#include "open_path.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("raw_tracepoint/sys_enter")
void open_path_no_result(void)
{
}
