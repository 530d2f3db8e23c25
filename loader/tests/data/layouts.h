// SPDX-License-Identifier: MIT OR Apache-2.0
int handle_small(void *conn);
int handle_large(void *conn);
int other_large(void *conn);
