// SPDX-License-Identifier: MIT OR Apache-2.0
/* Nothing to judge. */
#include "host.h"

int counter = 1;
