/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that come from a guest's trace, cut into records. */
#ifndef CALLGATE_RUNTIME_TRACE_READER_H
#define CALLGATE_RUNTIME_TRACE_READER_H

#include <stdint.h>

#include "lib/error.h"
#include "trace/print.h"

#define TRACE_READ_ROOM (256u * 1024)

/* Calls that have gone to sleep, and whose end is not there yet: shown as unfinished if that takes a while. */
#define TRACE_SLEEPERS 1024u
#define TRACE_SLEEP_MS 200

struct trace_sleeper {
	struct trace_record *record; /* a copy; NULL: free */
	int64_t since; /* ms */
	bool shown;
};

struct trace_reader {
	int fd;
	FILE *out;
	struct trace_style style;
	size_t used;
	size_t sleepers_used; /* those from here on were never in use */
	struct trace_sleeper sleepers[TRACE_SLEEPERS];
	_Alignas(8) uint8_t room[TRACE_READ_ROOM];
};

/* Reads once and prints what is complete: 1, 0 at the end, or -errno. */
int must_check trace_read(struct trace_reader *reader, struct error *err);

/* Those who have been sleeping for long enough; all: at the end of the trace. */
void trace_show_sleepers(struct trace_reader *reader, bool all);
/* How long to wait until that is due, for poll(): -1: nobody sleeps unseen. */
int trace_timeout_ms(const struct trace_reader *reader);

#endif
