/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that come from a guest's trace, cut into records. */
#ifndef CALLGATE_RUNTIME_TRACE_READER_H
#define CALLGATE_RUNTIME_TRACE_READER_H

#include <stdint.h>

#include "lib/error.h"
#include "trace/print.h"

#define TRACE_READ_ROOM (256u * 1024)

struct trace_reader {
	int fd;
	FILE *out;
	struct trace_style style;
	size_t used;
	_Alignas(8) uint8_t room[TRACE_READ_ROOM];
};

/* Reads once and prints what is complete: 1, 0 at the end, or -errno. */
int must_check trace_read(struct trace_reader *reader, struct error *err);

#endif
