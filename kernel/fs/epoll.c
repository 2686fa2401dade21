/* SPDX-License-Identifier: Apache-2.0 */
/* epoll(7): the file, waiting, the system calls. epoll_impl.h says how it hangs together. */
#include <linux/time.h>

#include "epoll_impl.h"
#include "syscall.h"
#include "task.h"
#include "trace_hook.h"

#define EP_MAX_EVENTS (0x7fffffff / (int)sizeof(struct epoll_event))
#define EP_MAX_NESTS 4
#define BATCH 64

struct mutex ep_nest_lock;

/* ---- collecting events ---- */

static bool guest_ready(struct eventpoll *ep)
{
	return READ_ONCE(ep->ready.next) != &ep->ready;
}

/* Take the first item off the ready list, so that a wake-up from now on puts it there again. */
static struct epitem *pop_ready(struct eventpoll *ep)
{
	struct epitem *item;

	guard(&ep->ready_lock);
	if (list_empty(&ep->ready))
		return NULL;
	item = list_entry(ep->ready.next, struct epitem, ready_node);
	list_del(&item->ready_node);
	return item;
}

static void put_again(struct eventpoll *ep, struct epitem *item, struct list_head *again)
{
	guard(&ep->ready_lock);
	list_del(&item->ready_node);
	list_add_tail(&item->ready_node, again);
}

/* Level-triggered items stay on the list: the next wait looks at them again. */
static bool take_event(struct epitem *item, struct epoll_event *out, struct list_head *again)
{
	u32 mask;

	if (!(item->events & ~EP_PRIVATE_BITS))
		return false;
	mask = ep_item_poll(item);
	if (!mask)
		return false;
	*out = (struct epoll_event){ .events = mask, .data = item->data };
	if (item->events & EPOLLONESHOT)
		WRITE_ONCE(item->events, item->events & EP_PRIVATE_BITS);
	else if (!(item->events & EPOLLET))
		put_again(item->ep, item, again);
	return true;
}

/*
 * Events of guest objects. Each item is looked at once, though it may become ready again
 * meanwhile.
 */
static int collect_guest(struct eventpoll *ep, struct epoll_event *out, int max)
{
	struct list_head again = LIST_HEAD_INIT(again);
	struct epitem *item, *last;
	int n = 0;

	if (!guest_ready(ep))
		return 0;
	guard(&ep->lock);
	{
		guard(&ep->ready_lock);
		if (list_empty(&ep->ready))
			return 0;
		last = list_entry(ep->ready.prev, struct epitem, ready_node);
	}
	while (n < max && (item = pop_ready(ep))) {
		n += take_event(item, out + n, &again);
		if (item == last)
			break;
	}
	guard(&ep->ready_lock);
	list_splice_tail(&again, &ep->ready);
	return n;
}

/* ---- waiting ---- */

static long copy_events(uaddr_t uevents, const struct epoll_event *ev, int n)
{
	return mc_copy_to_user(uevents, ev, n * sizeof(*ev)) ? -EFAULT : n;
}

/* Up to BATCH events that are there now, or come up on the watch until `deadline`. */
static int collect(struct eventpoll *ep, struct epoll_event *ev, int max, u64 deadline)
{
	int n = collect_guest(ep, ev, max), host;

	if (n == max || !READ_ONCE(ep->watch))
		return n;
	if (!n && deadline)
		trace_may_sleep();
	host = ep_watch_collect(ep, ev + n, max - n, n ? 0 : deadline);
	if (host < 0)
		return n ? n : host;
	return n + host;
}

static long ep_sleep(struct eventpoll *ep, struct epoll_event *ev, int max, u64 deadline)
{
	bool timed_out = false;

	for (;;) {
		int n = collect(ep, ev, max, timed_out ? 0 : deadline);

		if (n == -ETIMEDOUT) /* nothing of the host's until then */
			return collect_guest(ep, ev, max);
		if (n > 0 || (n < 0 && n != -EINTR))
			return n;
		if (n == 0 && guest_ready(ep) && !timed_out)
			continue; /* a guest object ended the sleep */
		if (task_work_pending())
			return signal_pending() ? -EINTR : -ERESTARTNOHAND;
		if (timed_out)
			return 0;
		if (!READ_ONCE(ep->watch)) {
			trace_may_sleep();
			timed_out = mc_park(deadline) == -ETIMEDOUT;
		}
		if (deadline != MC_FOREVER && mc_clock(CLOCK_MONOTONIC) >= deadline)
			timed_out = true;
	}
}

/* More than a batch at once, if guest objects are ready. 0: there is nothing, or no memory for it. */
static long take_many(struct eventpoll *ep, uaddr_t uevents, int max)
{
	struct epoll_event *ev __kfree = kmalloc((size_t)max * sizeof(*ev));
	int n = ev ? collect(ep, ev, max, 0) : 0;

	return n > 0 ? copy_events(uevents, ev, n) : 0;
}

static long ep_wait(struct eventpoll *ep, uaddr_t uevents, int max, u64 deadline)
{
	u32 items = READ_ONCE(ep->nslots); /* at most */
	struct waiter w = { .exclusive = true };
	struct epoll_event ev[BATCH];
	long n;

	if (max > BATCH && items > BATCH && guest_ready(ep)) {
		n = take_many(ep, uevents, min(max, (int)items));
		if (n)
			return n;
	}
	max = min(max, BATCH);
	if (!deadline || guest_ready(ep)) {
		n = collect(ep, ev, max, 0);
		if (n > 0)
			return copy_events(uevents, ev, n);
		if (!deadline)
			return n == -EINTR && !signal_pending() ? 0 : n;
	}
	waitq_add(&ep->wait, &w);
	n = ep_sleep(ep, ev, max, deadline);
	waitq_del(&ep->wait, &w);
	if (guest_ready(ep)) /* a wake-up meant for one sleeper may have come to us, who leave */
		waitq_wake(&ep->wait, POLLIN, 1);
	return n > 0 ? copy_events(uevents, ev, n) : n;
}

/* ---- the file ---- */

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct eventpoll *ep = f->priv;
	struct epitem *item;
	u32 mask = 0;

	poll_wait(pt, f, &ep->poll_wait);
	if (guest_ready(ep)) {
		struct list_head again = LIST_HEAD_INIT(again);

		guard(&ep->lock);
		while (!mask && (item = pop_ready(ep))) {
			if (!(item->events & ~EP_PRIVATE_BITS) || !ep_item_poll(item))
				continue;
			put_again(ep, item, &again);
			mask = POLLIN | POLLRDNORM;
		}
		guard(&ep->ready_lock);
		list_splice_tail(&again, &ep->ready);
	}
	if (!mask && READ_ONCE(ep->watch) && handle_poll(ep->watch, POLLIN))
		mask = POLLIN | POLLRDNORM;
	return mask;
}

static void epoll_release(struct file *f)
{
	struct eventpoll *ep = f->priv;
	struct epitem *item, *tmp;

	{
		guard(&ep_nest_lock);
		guard(&ep->lock);
		list_for_each_safe(item, tmp, &ep->items, ep_node) ep_remove(item);
	}
	if (ep->watch)
		mc_handle_release(ep->watch);
	kfree(ep->slots);
	kfree(ep);
}

const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.release = epoll_release,
};

void eventpoll_release(struct file *f)
{
	fasync_release(f);
	guard(&ep_nest_lock);
	while (!list_empty(&f->epitems)) {
		struct epitem *item = list_entry(f->epitems.next, struct epitem, file_node);

		guard(&item->ep->lock);
		ep_remove(item);
	}
}

struct file *epoll_new(void)
{
	struct eventpoll *ep = kzalloc(sizeof(*ep));
	struct file *f;

	if (!ep)
		return NULL;
	list_init(&ep->ready);
	list_init(&ep->items);
	waitq_init(&ep->wait);
	waitq_init(&ep->poll_wait);
	f = anon_file("eventpoll", &epoll_ops, O_RDWR, FMODE_STREAM, 0600, ep);
	if (!f) {
		kfree(ep);
		return NULL;
	}
	ep->file = f;
	return f;
}

long sys_epoll_create1(u64 uflags)
{
	struct file *f;

	if ((u32)uflags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	f = epoll_new();
	return f ? fd_install(f, uflags & EPOLL_CLOEXEC) : -ENOMEM;
}

long sys_epoll_create(u64 size)
{
	return (int)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* ---- epoll_ctl ---- */

/* Levels of epolls in ep, itself not counted; EP_MAX_NESTS + 1 if `top` is among them. */
static int depth_below(struct eventpoll *ep, struct eventpoll *top, int level)
{
	struct epitem *item;
	int deepest = 0;

	if (ep == top || level > EP_MAX_NESTS)
		return EP_MAX_NESTS + 1;
	guard(&ep->lock);
	list_for_each(item, &ep->items, ep_node) {
		struct eventpoll *inner = epoll_of_file(item->file);

		if (inner)
			deepest = max(deepest, 1 + depth_below(inner, top, level + 1));
	}
	return deepest;
}

static int depth_above(struct eventpoll *ep)
{
	struct epitem *item;
	int deepest = 0;

	list_for_each(item, &ep->file->epitems, file_node)
		deepest = max(deepest, 1 + depth_above(item->ep));
	return deepest;
}

/* What must be so before the lock of ep is taken. */
static int prepare_add(struct eventpoll *ep, struct file *f)
{
	struct eventpoll *inner = epoll_of_file(f);

	if (inner && depth_below(inner, ep, 0) + depth_above(ep) >= EP_MAX_NESTS)
		return -ELOOP;
	return file_poll_handle(f) ? ep_ensure_watch(ep) : 0;
}

static int check_event(int op, struct file *f, const struct epoll_event *event)
{
	u32 exclusive_ok = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET |
			   EPOLLEXCLUSIVE;

	if (!(event->events & EPOLLEXCLUSIVE) || op == EPOLL_CTL_DEL)
		return 0;
	if (op == EPOLL_CTL_MOD || epoll_of_file(f) || (event->events & ~exclusive_ok))
		return -EINVAL;
	return 0;
}

static int ctl_locked(struct eventpoll *ep, int op, struct file *f, int fd,
		      const struct epoll_event *event)
{
	struct epitem *item;

	guard(&ep->lock);
	item = ep_find(ep, f, fd);
	if (op == EPOLL_CTL_ADD)
		return item ? -EEXIST : ep_insert(ep, f, fd, event);
	if (!item)
		return -ENOENT;
	if (op == EPOLL_CTL_MOD)
		return ep_modify(item, event);
	ep_remove(item);
	return 0;
}

static long do_ctl(struct file *epf, int op, struct file *f, int fd,
		   const struct epoll_event *event)
{
	struct eventpoll *ep = epoll_of_file(epf);
	int err;

	if (!f->ops->poll && !(f->mode & FMODE_HOSTPOLL))
		return -EPERM;
	if (!ep || f == epf)
		return -EINVAL;
	err = check_event(op, f, event);
	if (err)
		return err;
	if (!epoll_of_file(f) &&
	    (op != EPOLL_CTL_ADD || !file_poll_handle(f) || READ_ONCE(ep->watch)))
		return ctl_locked(ep, op, f, fd, event);
	guard(&ep_nest_lock);
	err = op == EPOLL_CTL_ADD ? prepare_add(ep, f) : 0;
	return err ? err : ctl_locked(ep, op, f, fd, event);
}

int epoll_kernel_ctl(struct file *epf, int op, struct file *f, u32 events, u64 data)
{
	struct epoll_event event = { .events = events, .data = data };

	return (int)do_ctl(epf, op, f, -1, &event);
}

int epoll_kernel_wait(struct file *epf, struct epoll_event *ev, int max)
{
	struct eventpoll *ep = epf->priv;
	struct waiter w = { .exclusive = true };
	int n;

	waitq_add(&ep->wait, &w);
	n = (int)ep_sleep(ep, ev, max, MC_FOREVER);
	waitq_del(&ep->wait, &w);
	return n;
}

long sys_epoll_ctl(u64 epfd, u64 op, u64 fd, u64 uevent)
{
	struct epoll_event event = { 0 };
	struct file *epf __file = NULL, *f __file = NULL;

	if ((int)op != EPOLL_CTL_DEL && mc_copy_from_user(&event, uevent, sizeof(event)))
		return -EFAULT;
	epf = fd_get_io((int)epfd);
	if (!epf)
		return -EBADF;
	f = fd_get_io((int)fd);
	if (!f)
		return -EBADF;
	if ((int)op < EPOLL_CTL_ADD || (int)op > EPOLL_CTL_MOD)
		return -EINVAL;
	event.events &= ~(u32)EPOLLWAKEUP;
	return do_ctl(epf, (int)op, f, (int)fd, &event);
}

/* ---- epoll_wait ---- */

static long do_wait(int epfd, uaddr_t uevents, int max, u64 deadline)
{
	struct file *f __file = NULL;

	if (max <= 0 || max > EP_MAX_EVENTS)
		return -EINVAL;
	f = fd_get_io(epfd);
	if (!f)
		return -EBADF;
	if (!epoll_of_file(f))
		return -EINVAL;
	return ep_wait(f->priv, uevents, max, deadline);
}

static u64 deadline_ms(int ms)
{
	if (ms < 0)
		return MC_FOREVER;
	return ms ? mc_clock(CLOCK_MONOTONIC) + ms * NSEC_PER_MSEC : 0;
}

long sys_epoll_wait(u64 epfd, u64 uevents, u64 max, u64 timeout)
{
	return do_wait((int)epfd, uevents, (int)max, deadline_ms((int)timeout));
}

static long masked_wait(u64 epfd, u64 uevents, u64 max, u64 deadline, u64 mask, u64 size)
{
	long ret = set_user_sigmask(mask, size);

	if (ret)
		return ret;
	ret = do_wait((int)epfd, uevents, (int)max, deadline);
	restore_user_sigmask(ret == -EINTR || ret == -ERESTARTNOHAND);
	return ret;
}

long sys_epoll_pwait(u64 epfd, u64 uevents, u64 max, u64 timeout, u64 mask, u64 size)
{
	return masked_wait(epfd, uevents, max, deadline_ms((int)timeout), mask, size);
}

long sys_epoll_pwait2(u64 epfd, u64 uevents, u64 max, u64 uts, u64 mask, u64 size)
{
	u64 deadline;
	long ret = deadline_from_timespec(uts, &deadline);

	return ret ? ret : masked_wait(epfd, uevents, max, deadline, mask, size);
}
