// SPDX-License-Identifier: Apache-2.0
#include "vm/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOK_BUSY_MS 4
#define LOOK_QUIET_MS 20
#define DRAIN_MS 1000 /* how long the guest may take to write what waits, before the end */
#define LAST_MS 2000 /* how long a reader may take that has all of the ring before it */

void trace_init(struct vm_trace *t, void *ring, void (*nudge)(void *ctx), void *ctx)
{
	char *base = ring;

	*t = (struct vm_trace){
		.counters = (struct guest_counters *)(base + RING_COUNTERS_OFF),
		.header = (struct trace_header *)(base + RING_TRACE_OFF),
		.data = (uint8_t *)base + RING_TRACE_DATA_OFF,
		.fd = -1,
		.nudge = nudge,
		.ctx = ctx,
	};
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The records' memory goes back to the container: it is charged for it. */
static void switch_off(struct vm_trace *t)
{
	__atomic_store_n(&t->counters->tracing, 0, __ATOMIC_SEQ_CST);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->client = NULL;
	t->stopping = false;
	t->drain_until = 0;
	t->header->session = 0; /* what waits is forgotten */
	madvise((void *)t->data, TRACE_DATA_SIZE, MADV_REMOVE);
}

static void hung_up(void *trace)
{
	switch_off(trace);
}

/* ---- start ---- */

static void all_calls(uint64_t *wanted)
{
	for (size_t i = 0; i < COUNTED_CALLS / 64; i++)
		wanted[i] = ~0ULL;
}

static int read_calls(json_t *calls, uint64_t *wanted)
{
	json_t *nr;
	size_t i;

	if (!calls) {
		all_calls(wanted);
		return 0;
	}
	json_array_foreach(calls, i, nr) {
		json_int_t n = json_is_integer(nr) ? json_integer_value(nr) : -1;

		if (n < 0 || n >= COUNTED_CALLS)
			return -EINVAL;
		wanted[n / 64] |= 1ULL << (n % 64);
	}
	return 0;
}

static uint32_t read_flags(const json_t *request)
{
	uint32_t flags = 0;

	if (json_is_true(json_object_get(request, "records")))
		flags |= TRACE_RECORDS;
	if (json_is_true(json_object_get(request, "sums")))
		flags |= TRACE_SUMS;
	if (json_is_true(json_object_get(request, "wait")))
		flags |= TRACE_WAIT;
	if (json_is_true(json_object_get(request, "clock")))
		flags |= TRACE_CLOCK;
	return flags;
}

/* The client's descriptor, which we may not wait for. */
static int take_pipe(struct vm_trace *t, struct control_client *client)
{
	unsigned int n;
	const int *fds = control_fds(client, &n);
	int flags = n == 1 ? fcntl(fds[0], F_GETFL) : -1;

	if (flags < 0 || fcntl(fds[0], F_SETFL, flags | O_NONBLOCK))
		return -EINVAL;
	t->fd = fds[0];
	control_fds_taken(client);
	return 0;
}

static void switch_on(struct vm_trace *t, struct trace_header *want)
{
	struct trace_header *h = t->header;

	/* What it writes stays as it is: a call that was traced before may be about to go on. */
	t->tail = __atomic_load_n(&h->head, __ATOMIC_ACQUIRE);
	t->lost_before = h->lost;
	memset(h->sums, 0, sizeof(h->sums));
	want->tail = t->tail;
	if (!++t->session)
		t->session = 1;
	want->session = t->session;
	want->drain = t->drain;
	memcpy(h, want, offsetof(struct trace_header, head));
	__atomic_store_n(&t->counters->tracing, 1, __ATOMIC_SEQ_CST);
}

void trace_start(struct vm_trace *t, struct control_client *client, json_t *request)
{
	struct trace_header want = {
		.flags = read_flags(request),
		.pid = (int32_t)json_integer_value(json_object_get(request, "pid")),
		.string_size = (uint32_t)json_integer_value(json_object_get(request, "strings")),
	};

	if (control_engaged(client))
		return;
	if (t->client) {
		control_fail(client, EBUSY, "the container is being traced already");
		return;
	}
	if (want.string_size > TRACE_STRING_MAX || read_calls(json_object_get(request, "calls"), want.wanted) ||
	    ((want.flags & TRACE_RECORDS) && take_pipe(t, client))) {
		control_fail(client, EINVAL, "trace: not a request");
		return;
	}
	t->client = client;
	t->quiet = false;
	control_on_hangup(client, hung_up, t);
	switch_on(t, &want);
	control_answer(client, json_pack("{si}", "result", 0));
}

/* ---- the end ---- */

static json_t *sums(const struct vm_trace *t)
{
	json_t *list = json_array();

	for (int nr = 0; nr < COUNTED_CALLS; nr++) {
		struct trace_sum s;

		memcpy(&s, &t->header->sums[nr], sizeof(s));
		if (s.calls)
			json_array_append_new(list, json_pack("{sisIsIsIsIsI}", "nr", nr, "calls", (json_int_t)s.calls,
							      "errors", (json_int_t)s.errors, "time", (json_int_t)s.time,
							      "hostCalls", (json_int_t)s.host_calls, "pvCalls",
							      (json_int_t)s.pv_calls));
	}
	return list;
}

/* The last word. */
static void finish(struct vm_trace *t)
{
	struct control_client *client = t->client;
	uint32_t lost = t->header->lost - t->lost_before;
	bool cut = t->fd >= 0 && (t->tail != t->end || (t->drain_until && t->header->waiting));
	json_t *reply = json_pack("{sIsbso}", "lost", (json_int_t)lost, "cut", cut, "sums", sums(t));

	control_on_hangup(client, NULL, NULL);
	switch_off(t);
	control_answer(client, reply);
}

/* ---- records ---- */

/* More bytes than there is room for: no guest kernel writes that. */
static bool sane(const struct vm_trace *t, uint32_t head)
{
	return head - t->tail <= TRACE_DATA_SIZE;
}

static void fail(struct vm_trace *t)
{
	struct control_client *client = t->client;

	control_on_hangup(client, NULL, NULL);
	switch_off(t);
	control_send(client, json_pack("{sssi}", "error", "the guest's trace makes no sense", "code", EPROTO));
}

static void pass_on(struct vm_trace *t, uint32_t head)
{
	while (head != t->tail) {
		uint32_t at = t->tail % TRACE_DATA_SIZE, n = head - t->tail;
		ssize_t done;

		if (n > TRACE_DATA_SIZE - at)
			n = TRACE_DATA_SIZE - at;
		/* straight from the guest's memory: it means nothing to us */
		done = write(t->fd, t->data + at, n);
		if (done <= 0)
			break;
		t->tail += (uint32_t)done;
		__atomic_store_n(&t->header->tail, t->tail, __ATOMIC_RELEASE);
	}
}

/* Short records may wait with their tasks: the guest's first thread writes them. It may have to be told again: there was no room. */
static void ask_for_all(struct vm_trace *t, bool again)
{
	if (!again)
		__atomic_store_n(&t->header->drain, ++t->drain, __ATOMIC_SEQ_CST);
	t->nudge(t->ctx);
}

/* From now on nothing is added that would count. */
static void close_ring(struct vm_trace *t)
{
	__atomic_store_n(&t->counters->tracing, 0, __ATOMIC_SEQ_CST);
	t->end = __atomic_load_n(&t->header->head, __ATOMIC_ACQUIRE);
	t->stopping = true;
}

/* What waits is asked for at each look; before the end until it has come, or for too long. */
static void drain(struct vm_trace *t)
{
	bool done = __atomic_load_n(&t->header->drained, __ATOMIC_ACQUIRE) == t->drain;

	if (t->stopping)
		return;
	if (t->drain_until && (done || now_ms() >= t->drain_until)) {
		if (done)
			t->drain_until = 0;
		close_ring(t);
	} else if (!done || t->header->waiting) {
		ask_for_all(t, !done);
	}
}

void trace_pump(struct vm_trace *t)
{
	uint32_t head;

	if (!t->client || t->fd < 0)
		return;
	drain(t);
	head = t->stopping ? t->end : __atomic_load_n(&t->header->head, __ATOMIC_ACQUIRE);
	if (!sane(t, head)) {
		fail(t);
		return;
	}
	t->quiet = head == t->tail;
	pass_on(t, head);
	if (t->stopping && head == t->tail)
		finish(t);
}

int trace_timeout(const struct vm_trace *t)
{
	if (!t->client || t->fd < 0)
		return -1;
	if (t->drain_until && !t->stopping)
		return 1;
	return t->quiet ? LOOK_QUIET_MS : LOOK_BUSY_MS;
}

/* ---- stop ---- */

void trace_stop(struct vm_trace *t, struct control_client *client)
{
	if (t->client != client) {
		control_fail(client, EINVAL, "trace-stop: this connection traces nothing");
		return;
	}
	if (t->fd < 0) {
		close_ring(t);
		finish(t);
		return;
	}
	__atomic_store_n(&t->counters->tracing, 0, __ATOMIC_SEQ_CST);
	t->drain_until = now_ms() + DRAIN_MS;
	ask_for_all(t, false);
}

void trace_last(struct vm_trace *t)
{
	struct pollfd out = { .fd = t->fd, .events = POLLOUT };

	if (!t->client)
		return;
	close_ring(t);
	trace_pump(t);
	while (t->client && t->fd >= 0 && poll(&out, 1, LAST_MS) > 0 && !(out.revents & POLLERR))
		trace_pump(t);
	if (t->client)
		finish(t);
}
