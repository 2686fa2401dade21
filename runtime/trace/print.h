/* SPDX-License-Identifier: Apache-2.0 */
/* A record of callgate trace as a line of text. */
#ifndef CALLGATE_RUNTIME_TRACE_PRINT_H
#define CALLGATE_RUNTIME_TRACE_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "trace_ring.h"

struct trace_style {
	bool stamps; /* time of day first */
	bool times;  /* seconds spent last */
	long long clock_offset; /* ns from the records' clock to the time of day */
};

/* A call, or what is shown of it when it sleeps, and when it then ends. */
enum trace_part { TRACE_WHOLE, TRACE_UNFINISHED, TRACE_RESUMED };

/* The record, which is the guest's word, is complete: r->size bytes, at most TRACE_RECORD_MAX, lie there. */
void trace_print(FILE *out, const struct trace_record *r, enum trace_part part, const struct trace_style *style);

#endif
