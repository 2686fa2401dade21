// SPDX-License-Identifier: Apache-2.0
#include "vm/events.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/cleanup.h"

struct vm_event {
	struct vm_event *next;
	u32 number;
	bool posted;
	bool forgotten;
	struct vm_event_listener listener;
	/* until it is posted */
	struct pv_event *blob;
	size_t size;
	int *fds;
	unsigned int nfds;
};

/* What a server thread has to say, until the main loop gets to it. */
struct vm_event_report {
	struct vm_event_report *next;
	u32 number;
	bool exited;
	int value;
	char text[];
};

int vm_events_init(struct vm_events *ev)
{
	*ev = (struct vm_events){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	ev->last_report = &ev->reports;
	pthread_mutex_init(&ev->lock, NULL);
	return ev->fd < 0 ? -errno : 0;
}

static struct vm_event *event_new(struct vm_events *ev, const struct vm_event_listener *listener)
{
	struct vm_event **end = &ev->list, *e;

	if (ev->n == VM_EVENTS_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	while (*end)
		end = &(*end)->next;
	*end = e;
	ev->n++;
	if (listener)
		e->listener = *listener;
	return e;
}

static void event_free(struct vm_events *ev, struct vm_event *e)
{
	struct vm_event **p = &ev->list;

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	ev->n--;
	free(e->blob);
	free(e->fds);
	free(e);
}

static int keep_copy(struct vm_event *e, const struct pv_event *event, size_t size, const int *fds, unsigned int nfds)
{
	e->blob = malloc(size);
	e->fds = calloc(nfds + 1, sizeof(*fds));
	if (!e->blob || !e->fds)
		return -ENOMEM;
	memcpy(e->blob, event, size);
	if (nfds)
		memcpy(e->fds, fds, nfds * sizeof(*fds));
	e->size = size;
	e->nfds = nfds;
	return 0;
}

/* In the order they came in: nothing overtakes an event that is waiting. */
static bool others_wait(const struct vm_events *ev, const struct vm_event *self)
{
	for (const struct vm_event *e = ev->list; e != self; e = e->next) {
		if (!e->posted)
			return true;
	}
	return false;
}

static int post(struct vm_events *ev, struct vm_event *e, const struct pv_event *event, size_t size, const int *fds,
		unsigned int nfds)
{
	bool wait = !ev->booted || others_wait(ev, e);
	int ret = wait ? -EAGAIN : ev->post(ev->server, event, size, fds, nfds);

	if (ret < 0)
		return ret;
	e->number = (u32)ret;
	e->posted = true;
	return 0;
}

struct vm_event *vm_events_post(struct vm_events *ev, const struct pv_event *event, size_t size, const int *fds,
			  unsigned int nfds, const struct vm_event_listener *listener, int *error)
{
	struct vm_event *e = event_new(ev, listener);

	*error = e ? post(ev, e, event, size, fds, nfds) : -EAGAIN;
	if (e && *error == -EAGAIN)
		*error = keep_copy(e, event, size, fds, nfds);
	if (!*error)
		return e;
	if (e)
		event_free(ev, e);
	return NULL;
}

struct vm_event *vm_events_expect_boot(struct vm_events *ev, const struct vm_event_listener *listener)
{
	struct vm_event *e = event_new(ev, listener);

	if (e)
		e->posted = true;
	return e;
}

u32 vm_event_number(const struct vm_event *e)
{
	return e->number;
}

void vm_event_forget(struct vm_event *e)
{
	if (e)
		e->forgotten = true;
}

static void finish(struct vm_events *ev, struct vm_event *e, int result, const char *text)
{
	struct vm_event_listener l = e->listener;
	bool told = !e->forgotten && l.done;

	if (result < 0 || !l.exited)
		event_free(ev, e);
	if (told)
		l.done(l.ctx, result, text);
}

static void ended(struct vm_events *ev, struct vm_event *e, int wait_status)
{
	struct vm_event_listener l = e->listener;
	bool told = !e->forgotten && l.exited;

	event_free(ev, e);
	if (told)
		l.exited(l.ctx, wait_status);
}

static void post_waiting(struct vm_events *ev)
{
	for (struct vm_event *e = ev->list, *next; e; e = next) {
		int ret;

		next = e->next;
		if (e->posted)
			continue;
		ret = post(ev, e, e->blob, e->size, e->fds, e->nfds);
		if (ret == -EAGAIN)
			return;
		for (unsigned int i = 0; ret && i < e->nfds; i++)
			close(e->fds[i]);
		free(steal_pointer(&e->blob));
		if (ret)
			finish(ev, e, ret, "");
	}
}

static void dispatch(struct vm_events *ev, const struct vm_event_report *r)
{
	struct vm_event *e = ev->list;

	if (!r->number && r->value >= 0)
		ev->booted = true;
	while (e && (!e->posted || e->number != r->number))
		e = e->next;
	if (!e)
		return;
	if (r->exited)
		ended(ev, e, r->value);
	else
		finish(ev, e, r->value, r->text);
}

void vm_events_take(struct vm_events *ev)
{
	struct vm_event_report *r;
	uint64_t n;

	if (read(ev->fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&ev->lock);
	r = ev->reports;
	ev->reports = NULL;
	ev->last_report = &ev->reports;
	pthread_mutex_unlock(&ev->lock);
	while (r) {
		struct vm_event_report *next = r->next;

		dispatch(ev, r);
		free(r);
		r = next;
	}
	post_waiting(ev);
}

/* There are at most two reports of an event: the server sees to that. */
static void report(struct vm_events *ev, u32 number, bool exited, int value, const char *text)
{
	size_t size = strlen(text) + 1;
	struct vm_event_report *r = calloc(1, sizeof(*r) + size);
	uint64_t one = 1;

	if (!r)
		abort();
	r->number = number;
	r->exited = exited;
	r->value = value;
	memcpy(r->text, text, size);
	pthread_mutex_lock(&ev->lock);
	*ev->last_report = r;
	ev->last_report = &r->next;
	pthread_mutex_unlock(&ev->lock);
	if (write(ev->fd, &one, sizeof(one)) < 0)
		abort();
}

void vm_events_done(struct vm_events *ev, u32 number, int result, const char *text)
{
	if (result < -4095) /* the guest's word: it is negated later */
		result = -EPROTO;
	report(ev, number, false, result, text);
}

void vm_events_exited(struct vm_events *ev, u32 number, int wait_status)
{
	report(ev, number, true, wait_status, "");
}
