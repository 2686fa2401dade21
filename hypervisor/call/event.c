/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: posted by any thread of the hypervisor, taken, answered and (a process) ended by PV calls. The guest can
 * only answer what it was asked, and once. Callbacks run without the lock.
 */
#include "call/event.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/control.h"
#include "call/server_impl.h"

#define FD_NONE (-1) /* there never was one */
#define FD_GONE (-2) /* the guest has it */

static void event_free(struct event *e)
{
	for (unsigned int i = 0; i < e->nfds; i++)
		if (e->fds[i] >= 0)
			close(e->fds[i]);
	free(e->fds);
	free(e->blob);
	free(e);
}

/* The descriptors stay the caller's. */
static struct event *event_new(const struct pv_event *what, size_t size, const int *fds, unsigned int nfds)
{
	struct event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->kind = what->kind;
	e->size = size;
	e->blob = malloc(size);
	e->fds = malloc((nfds + 1) * sizeof(*fds));
	if (!e->blob || !e->fds) {
		event_free(e);
		return NULL;
	}
	memcpy(e->blob, what, size);
	if (nfds)
		memcpy(e->fds, fds, nfds * sizeof(*fds));
	return e;
}

/* Lock held. */
static struct event **find(struct event_table *t, u64 number)
{
	struct event **e = &t->first;

	while (*e && (*e)->number != number)
		e = &(*e)->next;
	return e;
}

static void append(struct event_table *t, struct event *e)
{
	struct event **end = &t->first;

	while (*end)
		end = &(*end)->next;
	*end = e;
}

int events_init(struct event_table *t)
{
	static const struct pv_event boot = { .size = sizeof(boot) };

	pthread_mutex_init(&t->lock, NULL);
	t->first = event_new(&boot, sizeof(boot), NULL, 0);
	if (!t->first)
		return -ENOMEM;
	t->first->state = EVENT_TAKEN;
	return 0;
}

void events_destroy(struct event_table *t)
{
	while (t->first) {
		struct event *e = t->first;

		t->first = e->next;
		event_free(e);
	}
	pthread_mutex_destroy(&t->lock);
}

/* ---- posting ---- */

/* A directory, or a name of one, leads by ".." to all of the file system that it is in: the host's. */
static bool may_leave(int fd)
{
	enum handle_kind kind = handle_kind_of(fd);

	return kind != HANDLE_DIR && kind != HANDLE_PATH;
}

static int enter(struct event_table *t, struct event *e, unsigned int nfds)
{
	struct pv_event *head = e->blob;
	int number = -EAGAIN;

	pthread_mutex_lock(&t->lock);
	if (t->unanswered < EVENTS_MAX && t->last < INT32_MAX) {
		t->unanswered++;
		number = (int)++t->last;
		e->number = head->event = (u32)number;
		head->size = (u32)e->size;
		head->nfds = e->nfds = nfds;
		append(t, e);
	}
	pthread_mutex_unlock(&t->lock);
	return number;
}

void pv_server_nudge(struct pv_server *server)
{
	__atomic_fetch_add(&server->ring->events, 1, __ATOMIC_SEQ_CST);
	if (server->cfg.wake_guest)
		server->cfg.wake_guest(server->cfg.ctx);
	else if (server->cfg.vm0 > 0)
		kill(server->cfg.vm0, SIG_KICK_NR);
}

int pv_server_post(struct pv_server *server, const struct pv_event *event, size_t blob_size, const int *fds,
		   unsigned int nfds)
{
	size_t size = event->process ? blob_size : sizeof(*event);
	struct event *e;
	int number;

	if (size > RING_BUF_SIZE || size < sizeof(*event) || nfds > PV_EVENT_FDS)
		return -E2BIG;
	for (unsigned int i = 0; i < nfds; i++)
		if (!may_leave(fds[i]))
			return -EISDIR;
	e = event_new(event, size, fds, nfds);
	if (!e)
		return -ENOMEM;
	number = enter(&server->events, e, nfds);
	if (number < 0) {
		event_free(e);
		return number;
	}
	pv_server_nudge(server);
	return number;
}

int pv_server_boot_fd(struct pv_server *server, unsigned int index, int fd)
{
	struct event *boot = server->events.first;
	int *fds;

	if (index >= PV_EVENT_FDS)
		return -E2BIG;
	if (!may_leave(fd))
		return -EISDIR;
	if (index >= boot->nfds) {
		fds = realloc(boot->fds, (index + 1) * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
		boot->fds = fds;
		while (boot->nfds <= index)
			fds[boot->nfds++] = FD_NONE;
	}
	if (boot->fds[index] != FD_NONE)
		return -EEXIST;
	boot->fds[index] = fd;
	return 0;
}

/* ---- PV_EVENT ---- */

static struct event *oldest_queued(struct event_table *t)
{
	struct event *e = t->first;

	while (e && e->state != EVENT_QUEUED)
		e = e->next;
	return e;
}

int event_take(struct call *c)
{
	struct event_table *t = &c->srv->events;
	void *blob = NULL;
	size_t size = 0;
	struct event *e;

	pthread_mutex_lock(&t->lock);
	e = oldest_queued(t);
	if (e) {
		e->state = EVENT_TAKEN;
		blob = e->blob;
		size = e->size;
		e->blob = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	if (blob)
		memcpy(c->buf, blob, size);
	free(blob);
	return (int)size;
}

/* ---- PV_EVENT_DONE, PV_EXITED ---- */

/* Takes it off the list. Lock held. */
static struct event *remove_event(struct event **at)
{
	struct event *e = *at;

	*at = e->next;
	e->next = NULL;
	return e;
}

/* Of a process that runs, only the descriptors that it did not take are given back. Lock held. */
static struct event *close_fds(struct event *e)
{
	for (unsigned int i = 0; i < e->nfds; i++) {
		if (e->fds[i] >= 0)
			close(e->fds[i]);
		e->fds[i] = FD_GONE;
	}
	e->state = EVENT_RUNNING;
	return NULL;
}

int event_done(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;
	struct event_table *t = &c->srv->events;
	int result = (int)c->req.u.ctl.pid;
	u64 number = c->req.u.ctl.arg;
	struct event **at, *over = NULL;
	bool known;

	pthread_mutex_lock(&t->lock);
	at = find(t, number);
	known = *at && (*at)->state == EVENT_TAKEN;
	if (known) {
		t->unanswered -= number != 0;
		over = (*at)->kind == PV_EV_EXEC && result >= 0 ? close_fds(*at) : remove_event(at);
	}
	pthread_mutex_unlock(&t->lock);
	if (!known)
		return violation(c, "arg", "an answer to no event");
	if (over)
		event_free(over);
	if (cfg->event_done)
		cfg->event_done(cfg->ctx, (u32)number, result, c->path[0]);
	return 0;
}

int event_exited(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;
	struct event_table *t = &c->srv->events;
	u64 number = c->req.u.ctl.arg;
	struct event **at, *over = NULL;

	pthread_mutex_lock(&t->lock);
	at = find(t, number);
	if (*at && (*at)->state == EVENT_RUNNING)
		over = remove_event(at);
	pthread_mutex_unlock(&t->lock);
	if (!over)
		return violation(c, "arg", "the end of a process that does not run");
	event_free(over);
	if (cfg->exited)
		cfg->exited(cfg->ctx, (u32)number, (int)c->req.u.ctl.pid);
	return 0;
}

/* ---- PV_TAKE_FD ---- */

int take_fd_decode(struct call *c)
{
	return decode_new_handle(c, "id", c->req.u.handle.id);
}

/* The descriptor, -EBADF: the guest may have it but there is none; or a violation. */
static int claim(struct call *c, u64 number, u64 index)
{
	struct event_table *t = &c->srv->events;
	int fd = FD_GONE;
	struct event *e;

	pthread_mutex_lock(&t->lock);
	e = *find(t, number);
	if (e && e->state == EVENT_TAKEN && index < e->nfds) {
		fd = e->fds[index];
		e->fds[index] = FD_GONE;
	}
	pthread_mutex_unlock(&t->lock);
	if (fd == FD_GONE)
		return violation(c, "len", "a descriptor that is not the event's, or not any more");
	return fd == FD_NONE ? -EBADF : fd;
}

int take_fd(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	int fd = claim(c, r->off, r->len);
	int flags, ret;

	if (fd < 0)
		return fd;
	flags = fcntl(fd, F_GETFL);
	ret = call_install(c, r->id, handle_kind_of(fd), fd, true);
	return ret < 0 ? ret : flags;
}
