/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait behind poll and select.
 *
 * Guest objects wake the task by their wait queues; readiness of host handles is asked of the
 * host. With no host handle among the files the task parks; otherwise it sleeps in mc_poll(),
 * which an unpark ends as well. A wake-up that comes after a file was looked at leaves a token,
 * so none is lost.
 */
#include <linux/time.h>

#include "poll_impl.h"
#include "task.h"
#include "trace_hook.h"

#define INLINE_WAITERS 8
#define CHUNK_WAITERS 62
#define INLINE_HOST 8

struct poll_waiter {
	struct waiter w;
	struct waitq *q;
};

struct waiter_chunk {
	struct waiter_chunk *next;
	int n;
	struct poll_waiter w[CHUNK_WAITERS];
};

struct poll_call {
	struct poll_table pt; /* first: poll_register() casts */
	struct poll_item *items;
	int n;
	struct pollfd *host; /* what goes to mc_poll() ... */
	int *host_item; /* ... and the item that each is of */
	int nhost;
	struct poll_waiter first[INLINE_WAITERS];
	int nfirst;
	struct waiter_chunk *chunks;
	int error;
	struct pollfd host_inline[INLINE_HOST];
	int host_item_inline[INLINE_HOST];
};

static struct poll_waiter *new_waiter(struct poll_call *pc)
{
	struct waiter_chunk *chunk = pc->chunks;

	if (pc->nfirst < INLINE_WAITERS)
		return &pc->first[pc->nfirst++];
	if (!chunk || chunk->n == CHUNK_WAITERS) {
		chunk = kmalloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->n = 0;
		chunk->next = pc->chunks;
		pc->chunks = chunk;
	}
	return &chunk->w[chunk->n++];
}

static void poll_register(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct poll_call *pc = (struct poll_call *)pt;
	struct poll_waiter *pw = new_waiter(pc);

	if (!pw) {
		pc->error = -ENOMEM;
		return;
	}
	pw->w = (struct waiter){ .task = current };
	pw->q = q;
	waitq_add(q, &pw->w);
}

static void unregister_all(struct poll_call *pc)
{
	for (int i = 0; i < pc->nfirst; i++)
		waitq_del(pc->first[i].q, &pc->first[i].w);
	while (pc->chunks) {
		struct waiter_chunk *chunk = pc->chunks;

		for (int i = 0; i < chunk->n; i++)
			waitq_del(chunk->w[i].q, &chunk->w[i].w);
		pc->chunks = chunk->next;
		kfree(chunk);
	}
}

static short host_events(const struct poll_item *item)
{
	return item->file->mode & FMODE_WATCH ? POLLIN : (short)item->events;
}

static int collect_handles(struct poll_call *pc)
{
	int n = 0;

	for (int i = 0; i < pc->n; i++)
		n += pc->items[i].file && file_poll_handle(pc->items[i].file);
	pc->host = pc->host_inline;
	pc->host_item = pc->host_item_inline;
	if (n > INLINE_HOST) {
		pc->host = kmalloc(n * (sizeof(*pc->host) + sizeof(*pc->host_item)));
		if (!pc->host)
			return -ENOMEM;
		pc->host_item = (int *)(pc->host + n);
	}
	for (int i = 0; i < pc->n && pc->nhost < n; i++) {
		struct poll_item *item = &pc->items[i];
		u32 handle = item->file ? file_poll_handle(item->file) : 0;

		if (!handle)
			continue;
		pc->host[pc->nhost] = (struct pollfd){ .fd = handle, .events = host_events(item) };
		pc->host_item[pc->nhost++] = i;
	}
	return 0;
}

static int scan_guest(struct poll_call *pc)
{
	int ready = 0;

	for (int i = 0; i < pc->n; i++) {
		struct poll_item *item = &pc->items[i];

		if (item->file && !(item->file->mode & FMODE_HOSTPOLL))
			item->revents = vfs_poll(item->file, &pc->pt) &
					(item->events | POLLERR | POLLHUP);
		if (item->revents) {
			ready++;
			pc->pt.fn = NULL; /* no sleep: no more waiters needed */
		}
	}
	pc->pt.fn = NULL;
	return ready;
}

/* Returns what mc_poll() does; adds to the items' revents and *ready. */
static int scan_host(struct poll_call *pc, u64 deadline, int *ready)
{
	int r = mc_poll(pc->host, pc->nhost, deadline);

	if (r <= 0)
		return r;
	for (int i = 0; i < pc->nhost; i++) {
		struct poll_item *item = &pc->items[pc->host_item[i]];
		u32 got = (u16)pc->host[i].revents;

		if (item->file->mode & FMODE_WATCH)
			got = got & POLLIN ? (POLLIN | POLLRDNORM) & item->events : 0;
		if (got && !item->revents)
			++*ready;
		item->revents |= got;
	}
	return r;
}

static bool past(u64 deadline)
{
	return deadline != MC_FOREVER && mc_clock(CLOCK_MONOTONIC) >= deadline;
}

static long poll_loop(struct poll_call *pc, u64 deadline)
{
	bool timed_out = deadline == 0, host_done = false;

	pc->pt.fn = timed_out ? NULL : poll_register;
	for (;;) {
		int ready = scan_guest(pc), r = 0;
		u64 until = ready || timed_out || pc->error ? 0 : deadline;

		if (until)
			trace_may_sleep();
		if (pc->nhost && !host_done)
			r = scan_host(pc, until, &ready);
		if (ready)
			return ready;
		if (pc->error)
			return pc->error;
		if (task_work_pending())
			return -EINTR;
		if (timed_out)
			return 0;
		if (r < 0 && r != -EINTR && r != -ETIMEDOUT)
			return r;
		if (!pc->nhost)
			r = mc_park(deadline);
		host_done = r == -ETIMEDOUT; /* it has looked until the deadline */
		timed_out = host_done || past(deadline);
	}
}

long poll_items(struct poll_item *items, int n, u64 deadline)
{
	struct poll_call pc;
	long ret;

	pc.items = items;
	pc.n = n;
	pc.nhost = pc.nfirst = pc.error = 0;
	pc.chunks = NULL;
	ret = collect_handles(&pc);
	if (!ret)
		ret = poll_loop(&pc, deadline);
	unregister_all(&pc);
	if (pc.host && pc.host != pc.host_inline)
		kfree(pc.host);
	for (int i = 0; i < n; i++)
		file_put(items[i].file);
	return ret;
}

u32 handle_poll(u32 handle, u32 events)
{
	struct pollfd p = { .fd = handle, .events = (short)events };

	return mc_poll(&p, 1, 0) > 0 ? (u16)p.revents : 0;
}

u32 file_poll_now(struct file *f, u32 events)
{
	if (f->mode & FMODE_HOSTPOLL)
		return handle_poll(f->handle, events);
	return vfs_poll(f, NULL) & (events | POLLERR | POLLHUP);
}
