// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The bytes used up, or -EPROTO: what is there can't be a record. */
static ssize_t print_next(struct trace_reader *t, size_t at)
{
	struct trace_record *r = (void *)(t->room + at);
	size_t left = t->used - at;

	if (left < sizeof(*r))
		return 0;
	if (r->size < sizeof(*r) || r->size > TRACE_RECORD_MAX || r->size % 8)
		return -EPROTO;
	if (left < r->size)
		return 0;
	trace_print(t->out, r, &t->style);
	return (ssize_t)r->size;
}

int trace_read(struct trace_reader *t, struct error *err)
{
	ssize_t n = read(t->fd, t->room + t->used, sizeof(t->room) - t->used);
	size_t at = 0;

	if (n < 0)
		return errno == EINTR ? 1 : error_errno(err, errno, "the trace");
	if (!n)
		return 0;
	t->used += (size_t)n;
	while ((n = print_next(t, at)) > 0)
		at += (size_t)n;
	if (n < 0)
		return error_set(err, EPROTO, "the guest's trace makes no sense");
	memmove(t->room, t->room + at, t->used - at);
	t->used -= at;
	return 1;
}
