/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an epoll: epoll.c (waiting, system calls), epoll_item.c (what is watched),
 * epoll_watch.c (the host's part).
 *
 * An item watches its file in one or both of two ways. Guest objects call ep_wake() through
 * their wait queues, which puts the item on the ready list; whether it is ready is asked when
 * events are collected. Handles of the host are in the epoll's watch, which the host keeps:
 * there only ready items cost anything. The watch is made with the first such item.
 *
 * Locks, outermost first: ep_nest_lock, ep->lock (of an outer epoll before that of an inner one),
 * file->ep_lock; and under the queue of a guest object: ep->ready_lock, the queues of the epoll.
 */
#ifndef EPOLL_IMPL_H
#define EPOLL_IMPL_H

#include <linux/eventpoll.h>
#include <linux/poll.h>

#include "epoll.h"

#define EP_MAX_WAITERS 4
#define EP_PRIVATE_BITS ((u32)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))

struct ep_slot {
	struct epitem *item;
	u32 gen; /* distinguishes the items that use the slot one after another */
	u32 next; /* of the free ones */
};

struct eventpoll {
	struct mutex lock; /* items, slots; held while files are asked */
	struct mutex ready_lock; /* ready, and ready_node of the items */
	struct list_head ready;
	struct list_head items;
	struct waitq wait; /* epoll_wait() */
	struct waitq poll_wait; /* poll() of the epoll file, and epolls around this one */
	struct ep_slot *slots;
	u32 nslots, free_slot; /* free_slot: index + 1, 0 none */
	u32 watch; /* handle of the host's part; 0: none. Set once, under ep_nest_lock */
	struct file *file; /* not counted: it owns us */
};

struct epitem;
struct ep_waiter {
	struct waiter w; /* first: ep_wake() casts */
	struct epitem *item;
	struct waitq *q;
};

struct epitem {
	struct eventpoll *ep;
	struct file *file; /* not counted: eventpoll_release() comes before its end */
	int fd;
	u32 events;
	u64 data;
	u32 slot;
	u32 handle; /* watched by the host; 0: none */
	bool host_leader; /* the watch knows handle under this item's id; others may share it */
	int nwaiters;
	struct list_head file_node, ep_node, ready_node;
	struct ep_waiter waiters[]; /* EP_MAX_WAITERS; none of files whose readiness only the host knows */
};

/* Held when epolls are nested, get their watch, or go away; protects epitems of epoll files. */
extern struct mutex ep_nest_lock;
extern const struct file_ops epoll_ops;

static inline struct eventpoll *epoll_of_file(struct file *f)
{
	return f->ops == &epoll_ops ? f->priv : NULL;
}

/* epoll_item.c; ep->lock is held */
int ep_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *event);
int ep_modify(struct epitem *item, const struct epoll_event *event);
void ep_remove(struct epitem *item);
struct epitem *ep_find(struct eventpoll *ep, struct file *f, int fd);
struct epitem *ep_item_by_id(struct eventpoll *ep, u64 id); /* NULL: gone */
u64 ep_item_id(const struct epitem *item);
void ep_mark_ready(struct epitem *item); /* and wake who waits */
u32 ep_item_poll(struct epitem *item); /* guest readiness now, of the events wanted */

/* epoll_watch.c */
int ep_ensure_watch(struct eventpoll *ep); /* ep_nest_lock held, no ep->lock */
int ep_watch_add(struct epitem *item, u32 handle);
int ep_watch_update(struct epitem *item);
void ep_watch_del(struct epitem *item);
/*
 * Events of the host for items of ep, waiting until deadline. Number, 0: unparked or deadline,
 * or -errno.
 */
int ep_watch_collect(struct eventpoll *ep, struct epoll_event *out, int max, u64 deadline);

#endif
