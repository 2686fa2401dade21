/* SPDX-License-Identifier: Apache-2.0 */
/* callgate trace -e: which calls. */
#ifndef CALLGATE_RUNTIME_TRACE_SELECT_H
#define CALLGATE_RUNTIME_TRACE_SELECT_H

#include <stdbool.h>

#include "lib/error.h"
#include "trace_calls.h"

/* "trace=network,openat", "network", "!file", "all", "none": as strace has it. Sets wanted[] by number. */
int must_check trace_select(const char *text, bool wanted[COUNTED_CALLS], struct error *err);

#endif
