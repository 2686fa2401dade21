/* SPDX-License-Identifier: Apache-2.0 */
/* Watches on files of guest file systems, and the events that they make. */
#include "fsnotify.h"

#include "name.h"

#define FIRST_GUEST_WD 0x40000000 /* the host counts its own from 1 */
#define QUEUE_MAX      16384u

struct watch {
	struct list_head node;	/* all */
	struct list_head owned; /* of the instance */
	struct inotify *owner;
	struct inode *inode; /* reference */
	u32 mask;
	int wd;
};

struct event {
	struct list_head node;
	struct inotify_event e; /* with the name, padded with zeros, behind it */
};

u32 fsnotify_watches;
static struct mutex lock; /* watches; outside of instance locks, never with an inode lock held */
static struct list_head watches = LIST_HEAD_INIT(watches);
static u32 last_cookie;

u32 fsnotify_cookie(void)
{
	return __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED) |
	       0x40000000u; /* the host counts from 1 */
}

/* ---- the queue of an instance ---- */

static struct event *event_new(int wd, u32 mask, u32 cookie, const char *name, size_t len)
{
	u32 room = len ? (u32)((len + sizeof(struct inotify_event)) &
			       ~(sizeof(struct inotify_event) - 1))
		       : 0;
	struct event *ev = kzalloc(sizeof(*ev) + room);

	if (!ev)
		return NULL;
	ev->e = (struct inotify_event){.wd = wd, .mask = mask, .cookie = cookie, .len = room};
	memcpy(ev->e.name, name, len);
	return ev;
}

static bool same(const struct event *a, const struct event *b)
{
	return a->e.wd == b->e.wd && a->e.mask == b->e.mask && a->e.cookie == b->e.cookie &&
	       a->e.len == b->e.len && !memcmp(a->e.name, b->e.name, a->e.len);
}

static void enqueue(struct inotify *n, int wd, u32 mask, u32 cookie, const char *name, size_t len)
{
	struct event *ev;

	mutex_lock(&n->lock);
	if (n->queued == QUEUE_MAX)
		ev = event_new(-1, IN_Q_OVERFLOW, 0, "", 0);
	else
		ev = n->queued > QUEUE_MAX ? NULL : event_new(wd, mask, cookie, name, len);
	if (ev && n->queued && same(list_entry(n->queue.prev, struct event, node), ev)) {
		kfree(ev);
		ev = NULL;
	}
	if (ev) {
		list_add_tail(&ev->node, &n->queue);
		n->queued++;
	}
	mutex_unlock(&n->lock);
	if (ev)
		waitq_wake_all(&n->wait, 0);
}

s64 inotify_take(struct inotify *n, struct uio *u)
{
	s64 done = 0;

	guard(&n->lock);
	while (!list_empty(&n->queue)) {
		struct event *ev = list_first(&n->queue, struct event, node);
		size_t size = sizeof(ev->e) + ev->e.len;

		if (size > u->resid)
			return done ? done : -EINVAL;
		if (uio_put(u, &ev->e, size) < 0)
			return done ? done : -EFAULT;
		done += size;
		list_del(&ev->node);
		n->queued--;
		kfree(ev);
	}
	return done;
}

u32 inotify_queued_bytes(struct inotify *n)
{
	struct event *ev;
	u32 sum = 0;

	guard(&n->lock);
	list_for_each(ev, &n->queue, node)
		sum += sizeof(ev->e) + ev->e.len;
	return sum;
}

/* ---- watches ---- */

void inotify_setup(struct inotify *n)
{
	list_init(&n->queue);
	list_init(&n->watches);
	waitq_init(&n->wait);
	n->last_wd = FIRST_GUEST_WD;
}

bool inotify_is_guest_wd(int wd)
{
	return wd >= FIRST_GUEST_WD;
}

/* With the lock held. */
static void watch_free(struct watch *w)
{
	list_del(&w->node);
	list_del(&w->owned);
	inode_put(w->inode);
	kfree(w);
	fsnotify_watches--;
}

void inotify_destroy(struct inotify *n)
{
	struct watch *w, *next;
	struct event *ev, *later;

	guard(&lock);
	list_for_each_safe(w, next, &n->watches, owned) watch_free(w);
	list_for_each_safe(ev, later, &n->queue, node)
	{
		list_del(&ev->node);
		kfree(ev);
	}
}

static int change_mask(struct watch *w, u32 mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
	return w->wd;
}

int inotify_watch(struct inotify *n, struct inode *i, u32 mask)
{
	struct watch *w;

	guard(&lock);
	list_for_each(w, &n->watches, owned)
		if (w->inode == i)
			return change_mask(w, mask);
	w = kzalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->owner = n;
	w->inode = inode_get(i);
	w->mask = mask;
	w->wd = ++n->last_wd;
	list_add_tail(&w->node, &watches);
	list_add_tail(&w->owned, &n->watches);
	fsnotify_watches++;
	return w->wd;
}

int inotify_unwatch(struct inotify *n, int wd)
{
	struct watch *w;

	guard(&lock);
	list_for_each(w, &n->watches, owned) {
		if (w->wd != wd)
			continue;
		enqueue(n, wd, IN_IGNORED, 0, "", 0);
		watch_free(w);
		return 0;
	}
	return -EINVAL;
}

/* ---- events ---- */

static bool tell(struct watch *w, u32 mask, u32 cookie, const char *name, size_t len)
{
	if (!(mask & w->mask & IN_ALL_EVENTS))
		return false;
	enqueue(w->owner, w->wd, mask, cookie, name, len);
	return w->mask & IN_ONESHOT;
}

static void watch_end(struct watch *w)
{
	enqueue(w->owner, w->wd, IN_IGNORED, 0, "", 0);
	watch_free(w);
}

void fsnotify_slow_name(struct inode *dir, u32 mask, const char *name, size_t len, u32 cookie)
{
	struct watch *w, *next;

	guard(&lock);
	list_for_each_safe(w, next, &watches,
			   node) if (w->inode == dir && tell(w, mask, cookie, name, len))
		watch_end(w);
}

void fsnotify_slow_inode(struct inode *i, u32 mask)
{
	u32 dir_flag = S_ISDIR(i->mode) ? IN_ISDIR : 0;
	char name[NAME_MAX + 1];
	struct watch *w, *next;

	guard(&lock);
	list_for_each_safe(w, next, &watches, node)
	{
		bool end = false;

		if (w->inode == i)
			end = tell(w, mask | (mask & IN_DELETE_SELF ? 0 : dir_flag), 0, "", 0) ||
			      (mask & IN_DELETE_SELF);
		else if (!(mask & (IN_DELETE_SELF | IN_MOVE_SELF)) &&
			 (tmpfs_name_of(w->inode, i, name) || ovl_name_of(w->inode, i, name)))
			end = tell(w, mask | dir_flag, 0, name, strlen(name));
		if (end)
			watch_end(w);
	}
}
