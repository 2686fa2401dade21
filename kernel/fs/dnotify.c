/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F_NOTIFY (fcntl(2)): signals of what happens in a directory. An inotify of the kernel's own watches, the host's
 * directories and the guest's alike; a kernel thread makes signals of its events. So they come a little later than the
 * change, and one for several of the same kind.
 */
#include "epoll.h"
#include "fsnotify.h"
#include "leases.h"
#include "vfs_impl.h"

#include <linux/eventpoll.h>

#include "cred.h"

#define BUFFER 4096

struct note {
	struct list_head node;
	struct file *file; /* not counted: dnotify_close() comes before its end */
	const struct fdtable *owner;
	u32 events; /* DN_* */
	u32 mask;   /* the same as IN_* */
	int wd, fd;
	u32 uid, euid;
};

static struct mutex lock;
static struct list_head notes = LIST_HEAD_INIT(notes);
static struct file *watcher, *poller;

static u32 mask_of(u32 events)
{
	static const struct {
		u32 event, mask;
	} masks[] = { { DN_ACCESS, IN_ACCESS }, { DN_MODIFY, IN_MODIFY }, { DN_CREATE, IN_CREATE | IN_MOVED_TO },
		      { DN_DELETE, IN_DELETE | IN_MOVED_FROM }, { DN_RENAME, IN_MOVED_FROM }, { DN_ATTRIB, IN_ATTRIB } };
	u32 mask = 0;

	for (u32 i = 0; i < ARRAY_SIZE(masks); i++)
		mask |= events & masks[i].event ? masks[i].mask : 0;
	return mask;
}

/* ---- with the lock held ---- */

static void drop(struct note *n)
{
	int wd = n->wd;
	struct note *other;

	list_del(&n->node);
	kfree(n);
	list_for_each(other, &notes, node)
		if (other->wd == wd)
			return;
	inotify_remove(watcher, wd);
}

static void event(const struct inotify_event *e)
{
	struct note *n, *next;

	list_for_each_safe(n, next, &notes, node)
	{
		if (n->wd != e->wd)
			continue;
		if (e->mask & IN_IGNORED) {
			list_del(&n->node);
			kfree(n);
		} else if (e->mask & n->mask) {
			fasync_message(n->file, n->fd, n->uid, n->euid);
			if (!(n->events & DN_MULTISHOT)) /* the watch goes with the descriptor, or is used again */
				n->events = n->mask = 0;
		}
	}
}

/* ---- the thread ---- */

static void dnotify_thread(void *arg)
{
	char *buf = kmalloc(BUFFER);
	struct epoll_event ready;

	if (!buf)
		panic("no memory for notes of directories");
	for (;;) {
		s64 len = 0;

		if (epoll_kernel_wait(poller, &ready, 1) > 0)
			len = vfs_read_kernel(watcher, buf, BUFFER, -1);
		guard(&lock);
		for (s64 at = 0; at < len;) {
			const struct inotify_event *e = (const void *)(buf + at);

			event(e);
			at += (s64)(sizeof(*e) + e->len);
		}
	}
}

static int start(void)
{
	if (watcher)
		return 0;
	poller = epoll_new();
	watcher = poller ? inotify_kernel() : NULL;
	if (watcher && !epoll_kernel_ctl(poller, EPOLL_CTL_ADD, watcher, EPOLLIN, 0) && kthread_create(dnotify_thread, NULL))
		return 0;
	file_put(watcher);
	file_put(poller);
	watcher = NULL;
	return -ENOMEM;
}

/* ---- fcntl ---- */

static struct note *find(const struct file *f, const struct fdtable *owner)
{
	struct note *n;

	list_for_each(n, &notes, node)
		if (n->file == f && n->owner == owner)
			return n;
	return NULL;
}

static struct note *add(struct file *f, int wd)
{
	struct note *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	n->file = f;
	n->owner = current->files;
	n->wd = wd;
	list_add_tail(&n->node, &notes);
	__atomic_or_fetch(&f->mode, FMODE_LOCKED, __ATOMIC_RELAXED);
	return n;
}

static int set(struct file *f, int fd, u32 events)
{
	struct note *n;
	int wd;

	wd = inotify_add_file(watcher, f, mask_of(events) | IN_MASK_ADD | IN_ONLYDIR);
	if (wd < 0)
		return wd;
	n = find(f, current->files);
	if (!n)
		n = add(f, wd);
	if (!n)
		return -ENOMEM;
	n->wd = wd;
	n->fd = fd;
	n->events |= events;
	n->mask |= mask_of(events);
	n->uid = current->cred->uid;
	n->euid = current->cred->euid;
	if (!f->owner)
		f->owner = current->proc->pid;
	return 0;
}

long dnotify_set(struct file *f, int fd, u32 events)
{
	int r;

	if (!(events & ~(u32)DN_MULTISHOT)) {
		dnotify_close(f, current->files);
		return 0;
	}
	if (!f->inode || !S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	if (!mask_of(events))
		return -EINVAL;
	guard(&lock);
	r = start();
	return r ? r : set(f, fd, events);
}

void dnotify_close(struct file *f, const struct fdtable *owner)
{
	struct note *n, *next;

	if (!__atomic_load_n(&watcher, __ATOMIC_ACQUIRE))
		return;
	guard(&lock);
	list_for_each_safe(n, next, &notes, node)
		if (n->file == f && (!owner || n->owner == owner))
			drop(n);
}
