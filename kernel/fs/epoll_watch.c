/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's part of an epoll: a watch with the handles whose readiness the host knows. Edge,
 * level and one-shot behaviour of these is the host's own.
 *
 * The watch knows each handle once, guest items may be several: the same file under two
 * descriptors. Then the watch wants the union of their events, under the id of one of them, the
 * leader.
 */
#include "epoll_impl.h"
#include "hostfs.h"

#define COLLECT_MAX 64
#define SHARED_MASK                                                                                \
	((u32)(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM | EPOLLRDBAND |            \
	       EPOLLWRNORM | EPOLLWRBAND | EPOLLERR | EPOLLHUP))

/* Other items of the same epoll on the same file. */
static struct epitem *next_sibling(struct epitem *item, struct epitem *after)
{
	struct list_head *node = after ? after->file_node.next : item->file->epitems.next;

	for (; node != &item->file->epitems; node = node->next) {
		struct epitem *other = list_entry(node, struct epitem, file_node);

		if (other != item && other->ep == item->ep && other->handle)
			return other;
	}
	return NULL;
}

/* The item under whose id the watch knows the handle; NULL: none yet. */
static struct epitem *leader_of(struct epitem *item)
{
	struct epitem *other = NULL;

	if (item->host_leader)
		return item;
	while ((other = next_sibling(item, other)))
		if (other->host_leader)
			return other;
	return NULL;
}

static u32 host_events(struct epitem *leader)
{
	struct epitem *other = NULL;
	u32 events = leader->events & ~(u32)EPOLLWAKEUP;
	bool shared = false;

	/* An inner epoll: asked again before it is reported. */
	if (leader->file->mode & FMODE_WATCH)
		return EPOLLIN | (leader->events & (EPOLLET | EPOLLONESHOT));
	while ((other = next_sibling(leader, other))) {
		shared = true;
		events |= other->events;
	}
	return shared ? events & SHARED_MASK : events;
}

static int watch_ctl(struct epitem *leader, int op)
{
	return mc_watch_ctl(leader->ep->watch, op, leader->handle, host_events(leader),
			    ep_item_id(leader));
}

int ep_watch_add(struct epitem *item, u32 handle)
{
	struct epitem *leader;
	int err;

	guard(&item->file->ep_lock);
	item->handle = handle;
	leader = leader_of(item);
	item->host_leader = !leader;
	err = leader ? watch_ctl(leader, EPOLL_CTL_MOD) : watch_ctl(item, EPOLL_CTL_ADD);
	if (err) {
		item->handle = 0;
		item->host_leader = false;
	}
	return err;
}

int ep_watch_update(struct epitem *item)
{
	guard(&item->file->ep_lock);
	return watch_ctl(leader_of(item), EPOLL_CTL_MOD);
}

/* item is off its file's list already. */
void ep_watch_del(struct epitem *item)
{
	struct epitem *heir;

	guard(&item->file->ep_lock);
	heir = next_sibling(item, NULL);
	if (item->host_leader)
		(void)watch_ctl(item, EPOLL_CTL_DEL);
	if (!heir)
		return;
	if (!item->host_leader) {
		(void)watch_ctl(leader_of(heir), EPOLL_CTL_MOD);
		return;
	}
	heir->host_leader = true;
	(void)watch_ctl(heir, EPOLL_CTL_ADD);
}

/* Epolls around this one watch it by its queues; now they must watch its watch, too. */
static int tell_outer(struct eventpoll *ep)
{
	struct epitem *item;

	list_for_each(item, &ep->file->epitems, file_node) {
		int err = ep_ensure_watch(item->ep);

		if (err)
			return err;
		{
			guard(&item->ep->lock);
			err = item->handle ? 0 : ep_watch_add(item, ep->watch);
		}
		if (err)
			return err;
	}
	return 0;
}

int ep_ensure_watch(struct eventpoll *ep)
{
	struct pv_slot s;
	u32 handle;
	s64 ret;

	if (ep->watch)
		return 0;
	handle = host_handle_get();
	if (!handle)
		return -ENFILE;
	mc_pv_get(&s);
	s.req.cmd = PV_WATCH;
	s.req.u.handle = (struct pv_req_handle){ .id = handle };
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	if (ret < 0) {
		host_handle_unused(handle);
		return ret;
	}
	ep->file->handle = handle;
	__atomic_or_fetch(&ep->file->mode, FMODE_WATCH, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ep->watch, handle, __ATOMIC_SEQ_CST);
	waitq_wake_all(&ep->wait, 0); /* who sleeps must sleep on the watch from now on */
	waitq_wake_all(&ep->poll_wait, 0);
	return tell_outer(ep);
}

/* An epoll that does not watch f's handle yet; ep_nest_lock keeps it alive. */
static struct eventpoll *unaware_of(struct file *f)
{
	struct epitem *item;

	guard(&f->ep_lock);
	list_for_each(item, &f->epitems, file_node)
		if (!item->handle)
			return item->ep;
	return NULL;
}

static int make_aware(struct eventpoll *ep, struct file *f)
{
	struct epitem *item, *unaware = NULL;

	guard(&ep->lock);
	{
		guard(&f->ep_lock);
		list_for_each(item, &f->epitems, file_node)
			if (item->ep == ep && !item->handle)
				unaware = item;
	}
	return unaware ? ep_watch_add(unaware, f->handle) : 0;
}

int epoll_host_begins(struct file *f, u32 mode)
{
	struct eventpoll *ep;
	int err = 0;

	__atomic_or_fetch(&f->mode, mode, __ATOMIC_SEQ_CST);
	guard(&ep_nest_lock);
	while (!err && (ep = unaware_of(f))) {
		err = ep_ensure_watch(ep);
		if (!err)
			err = make_aware(ep, f);
	}
	return err;
}

/* One event of the host, which may stand for several items. Number of events put to out. */
static int spread_event(struct eventpoll *ep, const struct mc_event *ev, struct epoll_event *out,
			int max)
{
	struct epitem *leader = ep_item_by_id(ep, ev->data), *item;
	int n = 0;

	if (!leader)
		return 0;
	if (leader->file->mode & FMODE_WATCH) {
		/* The inner epoll's own look decides; it goes the way of guest objects. */
		ep_mark_ready(leader);
		return 0;
	}
	guard(&leader->file->ep_lock);
	for (item = leader; item && n < max;
	     item = next_sibling(leader, item == leader ? NULL : item)) {
		u32 events = ev->events & (item->events | EPOLLERR | EPOLLHUP);

		if (!events || !(item->events & ~EP_PRIVATE_BITS))
			continue;
		if (item->events & EPOLLONESHOT)
			WRITE_ONCE(item->events, item->events & EP_PRIVATE_BITS);
		out[n++] = (struct epoll_event){ .events = events, .data = item->data };
	}
	return n;
}

int ep_watch_collect(struct eventpoll *ep, struct epoll_event *out, int max, u64 deadline)
{
	struct mc_event ev[COLLECT_MAX];
	int got = mc_watch_wait(ep->watch, ev, min(max, COLLECT_MAX), deadline), n = 0;

	if (got <= 0)
		return got;
	guard(&ep->lock);
	for (int i = 0; i < got; i++)
		n += spread_event(ep, &ev[i], out + n, max - n);
	return n;
}
