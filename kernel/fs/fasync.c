/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGIO of files with O_ASYNC, and SIGURG of network sockets with an owner (fcntl(2)). An epoll of the kernel's own
 * watches these files, edge-triggered, whether they are guest objects or sockets of the host; a kernel thread makes
 * signals of its events.
 *
 * An entry exists as long as its file is watched; fasync_lock keeps both. It is taken before the locks of epoll and
 * before tasklist_lock.
 */
#include "cred.h"
#include "epoll_impl.h"
#include "leases.h"
#include "signal.h"
#include "socket.h"
#include "task.h"

#define IO_EVENTS ((u32)(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP))
#define BATCH 16

struct fasync {
	struct list_head node;
	struct file *file; /* not counted: fasync_release() comes before its end */
	u64 id;
	u32 events; /* that are watched; 0: none yet */
	int fd; /* for si_fd */
	u32 uid, euid; /* of who set it: whom may be signalled */
	bool writable; /* it was when the watch began: that alone is no event */
};

static struct mutex fasync_lock;
static struct list_head entries = LIST_HEAD_INIT(entries);
static struct file *watch;
static u64 last_id;
static u32 count; /* of entries; read without the lock */

/* ---- signals ---- */

/* Who is told, and by whose right. */
struct owner {
	struct file *file;
	u32 uid, euid;
};

/* As for kill(2), by who set the owner. tasklist_lock held. */
static bool owner_may_signal(const struct owner *a, struct process *p)
{
	const struct cred *c = p->leader ? p->leader->cred : NULL;

	if (!c) /* a zombie */
		return false;
	return !a->euid || a->euid == c->suid || a->euid == c->uid || a->uid == c->suid || a->uid == c->uid;
}

static void signal_one(const struct owner *a, struct process *p, int sig, const siginfo_t *info)
{
	if (!owner_may_signal(a, p))
		return;
	if (send_signal_process_locked(p, sig, info) == -EAGAIN)
		send_signal_process_locked(p, SIGIO, NULL);
}

static void signal_owner(const struct owner *a, int sig, const siginfo_t *info)
{
	int owner = READ_ONCE(a->file->owner);
	struct pgrp *g;
	struct process *p;

	defer_wakes();
	guard(&tasklist_lock);
	if (owner > 0) {
		p = find_process(owner);
		if (p)
			signal_one(a, p, sig, info);
		return;
	}
	g = owner ? find_pgrp(-owner) : NULL;
	if (!g)
		return;
	list_for_each(p, &g->members, pgrp_node)
		signal_one(a, p, sig, info);
}

static void tell(struct fasync *a, u32 events)
{
	static const struct {
		u32 event;
		int code;
	} codes[] = { { EPOLLIN, POLL_IN }, { EPOLLPRI, POLL_PRI }, { EPOLLHUP, POLL_HUP },
		      { EPOLLERR, POLL_ERR }, { EPOLLOUT, POLL_OUT } };
	struct owner o = { a->file, a->uid, a->euid };
	siginfo_t info = { 0 };
	int sig = a->file->sig;

	if ((events & EPOLLPRI) && socket_of_file(a->file))
		signal_owner(&o, SIGURG, NULL);
	if (!(READ_ONCE(a->file->flags) & FASYNC) || (events == EPOLLOUT && a->writable))
		return;
	a->writable = events & EPOLLOUT;
	info.si_signo = sig;
	for (u32 i = 0; i < ARRAY_SIZE(codes) && !info.si_code; i++)
		if (events & codes[i].event)
			info.si_code = codes[i].code;
	info.si_band = events;
	info.si_fd = a->fd;
	signal_owner(&o, sig ? sig : SIGIO, sig ? &info : NULL);
}

void fasync_message(struct file *f, int fd, u32 uid, u32 euid)
{
	struct owner o = { f, uid, euid };
	siginfo_t info = { .si_signo = f->sig, .si_code = POLL_MSG };

	info.si_band = EPOLLIN | EPOLLRDNORM | EPOLLMSG;
	info.si_fd = fd;
	signal_owner(&o, f->sig ? f->sig : SIGIO, f->sig ? &info : NULL);
}

/* ---- the thread ---- */

static struct fasync *by_id(u64 id)
{
	struct fasync *a;

	list_for_each(a, &entries, node)
		if (a->id == id)
			return a;
	return NULL;
}

static void fasync_thread(void *arg)
{
	struct epoll_event events[BATCH];

	for (;;) {
		int n = epoll_kernel_wait(watch, events, BATCH);

		guard(&fasync_lock);
		for (int i = 0; i < n; i++) {
			struct fasync *a = by_id(events[i].data);

			if (a)
				tell(a, events[i].events);
		}
	}
}

static int start(void)
{
	if (watch)
		return 0;
	watch = epoll_new();
	if (!watch)
		return -ENOMEM;
	if (kthread_create(fasync_thread, NULL))
		return 0;
	file_put(watch);
	watch = NULL;
	return -ENOMEM;
}

/* ---- entries ---- */

static struct fasync *by_file(struct file *f)
{
	struct fasync *a;

	list_for_each(a, &entries, node)
		if (a->file == f)
			return a;
	return NULL;
}

static u32 wanted_events(struct file *f)
{
	struct socket *s = socket_of_file(f);

	if (!f->owner)
		return 0;
	if (f->flags & FASYNC)
		return IO_EVENTS | EPOLLET;
	return s && s->handle ? EPOLLPRI | EPOLLET : 0;
}

static void drop(struct fasync *a)
{
	list_del(&a->node);
	__atomic_fetch_sub(&count, 1, __ATOMIC_RELAXED);
	kfree(a);
}

static struct fasync *add(struct file *f)
{
	struct fasync *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->file = f;
	a->id = ++last_id;
	list_add_tail(&a->node, &entries);
	__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
	return a;
}

static int begin(struct file *f, int fd, u32 events)
{
	struct fasync *a = by_file(f);
	int err = start();

	if (err)
		return err;
	if (!a)
		a = add(f);
	if (!a)
		return -ENOMEM;
	a->fd = fd;
	a->uid = current->cred->uid;
	a->euid = current->cred->euid;
	if (a->events == events)
		return 0;
	a->writable = file_poll_now(f, POLLOUT) & POLLOUT;
	err = epoll_kernel_ctl(watch, a->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, f, events, a->id);
	if (err && !a->events)
		drop(a);
	else if (!err)
		a->events = events;
	return err == -EPERM ? 0 : err; /* a file that is always ready: never an event */
}

int fasync_update(struct file *f, int fd)
{
	u32 events = wanted_events(f);
	struct fasync *a;

	if (!events && !READ_ONCE(count))
		return 0;
	guard(&fasync_lock);
	if (events)
		return begin(f, fd, events);
	a = by_file(f);
	if (a) {
		epoll_kernel_ctl(watch, EPOLL_CTL_DEL, f, 0, 0);
		drop(a);
	}
	return 0;
}

void fasync_release(struct file *f)
{
	struct fasync *a;

	if (!READ_ONCE(count))
		return;
	guard(&fasync_lock);
	a = by_file(f);
	if (a)
		drop(a);
}
