/* SPDX-License-Identifier: Apache-2.0 */
/* What an epoll watches: items, their numbers, their place on wait queues of guest objects. */
#include "epoll_impl.h"

/* ---- numbers: what the host gives back with an event is never a pointer ---- */

static int slot_alloc(struct eventpoll *ep, struct epitem *item)
{
	u32 i = ep->free_slot;

	if (!i) {
		u32 n = ep->nslots ? ep->nslots * 2 : 8;
		struct ep_slot *slots = krealloc(ep->slots, n * sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		for (u32 k = ep->nslots; k < n; k++)
			slots[k] = (struct ep_slot){ .next = k + 1 < n ? k + 2 : 0 };
		i = ep->nslots + 1;
		ep->slots = slots;
		ep->nslots = n;
	}
	ep->free_slot = ep->slots[i - 1].next;
	ep->slots[i - 1].item = item;
	item->slot = i - 1;
	return 0;
}

static void slot_free(struct eventpoll *ep, u32 i)
{
	ep->slots[i].item = NULL;
	ep->slots[i].gen++;
	ep->slots[i].next = ep->free_slot;
	ep->free_slot = i + 1;
}

u64 ep_item_id(const struct epitem *item)
{
	return (u64)item->ep->slots[item->slot].gen << 32 | item->slot;
}

struct epitem *ep_item_by_id(struct eventpoll *ep, u64 id)
{
	u32 i = (u32)id;

	return i < ep->nslots && ep->slots[i].gen == id >> 32 ? ep->slots[i].item : NULL;
}

/* ---- readiness of guest objects ---- */

void ep_mark_ready(struct epitem *item)
{
	struct eventpoll *ep = item->ep;

	{
		guard(&ep->ready_lock);
		if (list_empty(&item->ready_node))
			list_add_tail(&item->ready_node, &ep->ready);
	}
	waitq_wake(&ep->wait, POLLIN, 1);
	waitq_wake_all(&ep->poll_wait, POLLIN | POLLRDNORM);
}

/* The queue of a guest object was woken; its lock is held. */
static void ep_wake(struct waiter *w, u32 events)
{
	struct epitem *item = ((struct ep_waiter *)w)->item;
	u32 wanted = READ_ONCE(item->events);

	if (!(wanted & ~EP_PRIVATE_BITS)) /* a one-shot that has fired */
		return;
	if (events && !(events & (wanted | POLLERR | POLLHUP)))
		return;
	ep_mark_ready(item);
}

struct ep_register {
	struct poll_table pt; /* first: ep_register() casts */
	struct epitem *item;
	int error;
};

static void ep_register(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct ep_register *reg = (struct ep_register *)pt;
	struct epitem *item = reg->item;
	struct ep_waiter *ew;

	if (item->nwaiters == EP_MAX_WAITERS) {
		reg->error = -ENOMEM;
		return;
	}
	ew = &item->waiters[item->nwaiters++];
	ew->w.wake = ep_wake;
	ew->w.exclusive = item->events & EPOLLEXCLUSIVE;
	ew->item = item;
	ew->q = q;
	waitq_add(q, &ew->w);
}

u32 ep_item_poll(struct epitem *item)
{
	if (item->file->mode & FMODE_HOSTPOLL)
		return 0;
	return vfs_poll(item->file, NULL) & (item->events | POLLERR | POLLHUP);
}

static int start_guest(struct epitem *item)
{
	struct ep_register reg = { .pt.fn = ep_register, .item = item };
	u32 mask;

	if (item->file->mode & FMODE_HOSTPOLL)
		return 0;
	mask = vfs_poll(item->file, &reg.pt);
	if (!reg.error && (mask & (item->events | POLLERR | POLLHUP)))
		ep_mark_ready(item);
	return reg.error;
}

/* ---- add, change, remove ---- */

struct epitem *ep_find(struct eventpoll *ep, struct file *f, int fd)
{
	struct epitem *item;

	guard(&f->ep_lock);
	list_for_each(item, &f->epitems, file_node)
		if (item->ep == ep && item->fd == fd)
			return item;
	return NULL;
}

int ep_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	int waiters = f->mode & FMODE_HOSTPOLL ? 0 : EP_MAX_WAITERS, err;
	struct epitem *item = kzalloc(sizeof(*item) + waiters * sizeof(item->waiters[0]));
	u32 handle = file_poll_handle(f);

	if (!item)
		return -ENOMEM;
	item->ep = ep;
	item->file = f;
	item->fd = fd;
	item->events = event->events;
	item->data = event->data;
	list_init(&item->ready_node);
	if (slot_alloc(ep, item)) {
		kfree(item);
		return -ENOMEM;
	}
	list_add_tail(&item->ep_node, &ep->items);
	{
		guard(&f->ep_lock);
		list_add_tail(&item->file_node, &f->epitems);
	}
	err = handle ? ep_watch_add(item, handle) : 0;
	if (!err)
		err = start_guest(item);
	if (err)
		ep_remove(item);
	return err;
}

int ep_modify(struct epitem *item, const struct epoll_event *event)
{
	int err = 0;

	if ((item->events | event->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->data = event->data;
	__atomic_store_n(&item->events, event->events,
			 __ATOMIC_SEQ_CST); /* before the look: ep_wake() reads it */
	if (item->handle)
		err = ep_watch_update(item);
	if (!err && ep_item_poll(item))
		ep_mark_ready(item);
	return err;
}

void ep_remove(struct epitem *item)
{
	struct eventpoll *ep = item->ep;

	for (int i = 0; i < item->nwaiters; i++)
		waitq_del(item->waiters[i].q, &item->waiters[i].w);
	{
		guard(&item->file->ep_lock);
		list_del(&item->file_node);
	}
	if (item->handle)
		ep_watch_del(item);
	{
		guard(&ep->ready_lock);
		list_del(&item->ready_node);
	}
	list_del(&item->ep_node);
	slot_free(ep, item->slot);
	kfree(item);
}
