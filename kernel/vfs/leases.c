/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: whoever holds one is told before somebody else opens the file in a way that is in conflict, who waits until the
 * holder gives way or the time is over (fcntl(2), F_SETLEASE). They hold among the processes of this guest.
 *
 * Opens are not counted by file: that nobody else has it open is found out in the descriptor tables. The lease is there
 * before these are read, and an open looks for leases when it is done.
 */
#include "leases.h"

#include <linux/capability.h>

#include "cred.h"
#include "hostfs.h"
#include "vfs_impl.h"

struct lease {
	struct list_head node;
	struct file *file; /* not counted: leases_release_file() comes before its end */
	u64 dev, ino;
	int type;     /* F_RDLCK, F_WRLCK */
	int target;   /* what it is to become, while it is being broken; else the same */
	u64 deadline; /* when it becomes that by itself */
	int fd;
	u32 uid, euid;
};

u32 lease_count;
s64 lease_break_time = 45;
static struct mutex lock;
static struct list_head leases = LIST_HEAD_INIT(leases);
static struct waitq changed = WAITQ_INIT(changed);
static u32 generation;

/* ---- with the lock held ---- */

static struct lease *of_file(const struct file *f)
{
	struct lease *l;

	list_for_each(l, &leases, node)
		if (l->file == f)
			return l;
	return NULL;
}

static void something_changed(void)
{
	__atomic_add_fetch(&generation, 1, __ATOMIC_SEQ_CST);
	waitq_wake_all(&changed, 0);
}

static void drop(struct lease *l)
{
	list_del(&l->node);
	kfree(l);
	__atomic_sub_fetch(&lease_count, 1, __ATOMIC_SEQ_CST);
	something_changed();
}

/* One that is being broken stays so until it is what it has to be. */
static void become(struct lease *l, int type)
{
	bool breaking = l->target != l->type;

	if (type == F_UNLCK) {
		drop(l);
		return;
	}
	l->type = type;
	if (!breaking || (type == F_RDLCK && l->target == F_RDLCK))
		l->target = type;
	something_changed();
}

/* Of the file, those whose time is over. */
static void time_out(u64 dev, u64 ino)
{
	u64 now = mc_clock(CLOCK_MONOTONIC);
	struct lease *l, *next;

	list_for_each_safe(l, next, &leases, node)
		if (l->dev == dev && l->ino == ino && l->target != l->type && now >= l->deadline)
			become(l, l->target);
}

static bool in_the_way(const struct lease *l, u64 dev, u64 ino, bool writes)
{
	return l->dev == dev && l->ino == ino && (writes || l->type == F_WRLCK);
}

static void begin_break(struct lease *l, bool writes)
{
	int target = writes ? F_UNLCK : F_RDLCK;

	if (l->target == target || l->target == F_UNLCK)
		return;
	l->target = target;
	l->deadline = lease_break_time > 0 ? mc_clock(CLOCK_MONOTONIC) + (u64)lease_break_time * NSEC_PER_SEC : MC_FOREVER;
	fasync_message(l->file, l->fd, l->uid, l->euid);
}

/* ---- breaking ---- */

/* The first one in the way; *deadline: when it ends. */
static bool break_all(u64 dev, u64 ino, bool writes, u64 *deadline)
{
	bool found = false;
	struct lease *l;

	guard(&lock);
	time_out(dev, ino);
	list_for_each(l, &leases, node) {
		if (!in_the_way(l, dev, ino, writes))
			continue;
		begin_break(l, writes);
		if (!found)
			*deadline = l->deadline;
		found = true;
	}
	return found;
}

int lease_break(u64 dev, u64 ino, bool writes, bool nowait)
{
	for (;;) {
		u32 seen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
		u64 deadline = MC_FOREVER;
		long r;

		if (!break_all(dev, ino, writes, &deadline))
			return 0;
		if (nowait)
			return -EWOULDBLOCK;
		r = wait_event(&changed, __atomic_load_n(&generation, __ATOMIC_SEQ_CST) != seen, deadline);
		if (r && r != -ETIMEDOUT)
			return (int)r;
	}
}

int lease_break_name(int dirfd, const char *path, bool nowait)
{
	struct statx st;

	if (!leases_any() || vfs_stat(dirfd, path, 0, &st))
		return 0;
	return lease_break((u64)st.stx_dev_major << 32 | st.stx_dev_minor, st.stx_ino, true, nowait);
}

/* ---- is it open elsewhere? ---- */

struct tables {
	u32 n, max;
	struct fdtable *v[];
};

static int collect(struct process *p, void *arg)
{
	struct tables *t = arg;
	struct task *k;

	list_for_each(k, &p->threads, thread_node)
		if (k->files && t->n < t->max && (!t->n || t->v[t->n - 1] != k->files))
			t->v[t->n++] = fdtable_get(k->files);
	return 0;
}

static bool conflicts(struct file *f, const struct file *other, int type)
{
	if (!other->inode || (other->mode & FMODE_PATH) || other->inode->dev != f->inode->dev ||
	    other->inode->ino != f->inode->ino)
		return false;
	return type == F_RDLCK ? (other->mode & FMODE_WRITE) != 0 : other != f;
}

static bool table_conflicts(struct fdtable *t, struct file *f, int type)
{
	bool found = false;

	for (int fd = fdtable_next(t, 0); fd >= 0 && !found; fd = fdtable_next(t, fd + 1)) {
		struct file *other __file = fdtable_file(t, fd);

		found = other && conflicts(f, other, type);
	}
	return found;
}

/* 0, -EAGAIN, -ENOMEM. */
static int check_opens(struct file *f, int type)
{
	u32 max = task_count() + 16;
	struct tables *t = kzalloc(sizeof(*t) + max * sizeof(t->v[0]));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->max = max;
	mutex_lock(&tasklist_lock);
	for_each_process(collect, t);
	mutex_unlock(&tasklist_lock);
	for (u32 i = 0; i < t->n; i++) {
		if (!r && table_conflicts(t->v[i], f, type))
			r = -EAGAIN;
		fdtable_put(t->v[i]);
	}
	kfree(t);
	if (!r && type == F_RDLCK && inode_is_host(f->inode) && writers_any(f->inode))
		r = -EAGAIN; /* mapped, or on its way in a message */
	return r;
}

/* ---- fcntl ---- */

/* With the lock held: do leases of others forbid it? */
static bool others_forbid(const struct file *f, int type)
{
	struct lease *l;

	list_for_each(l, &leases, node) {
		if (l->file == f || l->dev != f->inode->dev || l->ino != f->inode->ino)
			continue;
		if (type == F_WRLCK || l->target == F_UNLCK)
			return true;
	}
	return false;
}

static int unset(struct file *f)
{
	struct lease *l;

	guard(&lock);
	l = of_file(f);
	if (!l)
		return -EAGAIN;
	drop(l);
	f->owner = 0;
	f->sig = 0;
	return 0;
}

/* Changes the one that f has, or adds `fresh`, which it takes over then. */
static int put_in(struct file *f, int fd, int type, struct lease **fresh)
{
	struct lease *l;

	guard(&lock);
	time_out(f->inode->dev, f->inode->ino);
	if (others_forbid(f, type))
		return -EAGAIN;
	l = of_file(f);
	if (l) {
		become(l, type);
		return 0;
	}
	l = *fresh;
	*fresh = NULL;
	*l = (struct lease){ .file = f, .dev = f->inode->dev, .ino = f->inode->ino, .type = type, .target = type, .fd = fd,
			     .uid = current->cred->uid, .euid = current->cred->euid };
	list_add_tail(&l->node, &leases);
	__atomic_add_fetch(&lease_count, 1, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&f->mode, FMODE_LOCKED, __ATOMIC_RELAXED);
	if (!f->owner)
		f->owner = current->proc->pid;
	return 0;
}

/* A new one is taken back when the file turns out to be open elsewhere; one that was there stays as it is. */
static int set(struct file *f, int fd, int type)
{
	struct lease *fresh = kmalloc(sizeof(*fresh));
	bool had;
	int r;

	if (!fresh)
		return -ENOMEM;
	mutex_lock(&lock);
	had = of_file(f) != NULL;
	mutex_unlock(&lock);
	r = had ? check_opens(f, type) : 0;
	if (!r)
		r = put_in(f, fd, type, &fresh);
	if (!r && !had) {
		r = check_opens(f, type);
		if (r)
			leases_release_file(f);
	}
	kfree(fresh);
	return r;
}

long lease_set(struct file *f, int fd, int type)
{
	struct statx st;

	if (type == F_UNLCK)
		return unset(f);
	if (type != F_RDLCK && type != F_WRLCK)
		return -EINVAL;
	if (!f->inode || vfs_fstat(f, &st) || (current->cred->fsuid != st.stx_uid && !capable(CAP_LEASE)))
		return -EACCES;
	return S_ISREG(st.stx_mode) ? set(f, fd, type) : -EINVAL;
}

int lease_get(struct file *f)
{
	struct lease *l;

	if (!leases_any() || !f->inode)
		return F_UNLCK;
	guard(&lock);
	time_out(f->inode->dev, f->inode->ino);
	l = of_file(f);
	return l ? l->target : F_UNLCK;
}

void leases_release_file(struct file *f)
{
	struct lease *l;

	if (!leases_any())
		return;
	guard(&lock);
	l = of_file(f);
	if (l)
		drop(l);
}
