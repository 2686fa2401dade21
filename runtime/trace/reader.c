// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- calls that sleep ---- */

static struct trace_sleeper *find_sleeper(struct trace_reader *t, int32_t tid)
{
	for (size_t i = 0; i < t->sleepers_used; i++)
		if (t->sleepers[i].record && t->sleepers[i].record->tid == tid)
			return &t->sleepers[i];
	return NULL;
}

static void forget(struct trace_sleeper *s)
{
	free(s->record);
	*s = (struct trace_sleeper){ 0 };
}

/* If there are too many, their calls are shown when they end, as all others. */
static void remember(struct trace_reader *t, const struct trace_record *r)
{
	struct trace_sleeper *s = find_sleeper(t, r->tid);
	struct trace_record *copy = malloc(r->size);
	size_t i = 0;

	if (s)
		forget(s);
	while (i < TRACE_SLEEPERS && t->sleepers[i].record)
		i++;
	if (!copy || i == TRACE_SLEEPERS) {
		free(copy);
		return;
	}
	memcpy(copy, r, r->size);
	t->sleepers[i] = (struct trace_sleeper){ .record = copy, .since = now_ms() };
	if (i >= t->sleepers_used)
		t->sleepers_used = i + 1;
}

void trace_show_sleepers(struct trace_reader *t, bool all)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < t->sleepers_used; i++) {
		struct trace_sleeper *s = &t->sleepers[i];

		if (!s->record || s->shown || (!all && now - s->since < TRACE_SLEEP_MS))
			continue;
		trace_print(t->out, s->record, TRACE_UNFINISHED, &t->style);
		fflush(t->out);
		s->shown = true;
	}
}

int trace_timeout_ms(const struct trace_reader *t)
{
	for (size_t i = 0; i < t->sleepers_used; i++)
		if (t->sleepers[i].record && !t->sleepers[i].shown)
			return TRACE_SLEEP_MS / 4;
	return -1;
}

static void show(struct trace_reader *t, const struct trace_record *r)
{
	struct trace_sleeper *s = t->sleepers_used ? find_sleeper(t, r->tid) : NULL;
	bool resumed = s && r->type == TRACE_CALL && s->shown && s->record->nr == r->nr;

	if (r->type == TRACE_STARTED) {
		remember(t, r);
		return;
	}
	if (s && r->type != TRACE_SIGNAL)
		forget(s);
	trace_print(t->out, r, resumed ? TRACE_RESUMED : TRACE_WHOLE, &t->style);
}

/* ---- the bytes ---- */

static void show_short(struct trace_reader *t, const struct trace_short *s)
{
	struct trace_record r = {
		.size = sizeof(r), .type = TRACE_CALL, .nr = s->nr, .tid = s->tid, .lost = s->lost, .result = s->result
	};

	memcpy(r.args, s->args, s->size - sizeof(*s));
	show(t, &r);
}

/* The bytes used up, or -EPROTO: what is there can't be a record. */
static ssize_t print_next(struct trace_reader *t, size_t at)
{
	struct trace_record *r = (void *)(t->room + at);
	struct trace_short *s = (void *)r;
	size_t left = t->used - at;

	if (left < sizeof(*s))
		return 0;
	if (s->type == TRACE_SHORT) {
		if (s->size < sizeof(*s) || s->size > sizeof(*s) + sizeof(r->args) || s->size % 8)
			return -EPROTO;
		if (left < s->size)
			return 0;
		show_short(t, s);
		return (ssize_t)s->size;
	}
	if (left < sizeof(*r))
		return 0;
	if (r->size < sizeof(*r) || r->size > TRACE_RECORD_MAX || r->size % 8)
		return -EPROTO;
	if (left < r->size)
		return 0;
	show(t, r);
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
