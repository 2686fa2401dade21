/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File locks: POSIX (owner: the descriptor table), OFD (owner: the open file) and flock (owner: the
 * open file; apart from the other two). They hold among the processes of this guest, by the
 * file's device and inode number; processes outside do not see them.
 *
 * One lock guards everything, and one queue wakes every waiter: locks are rare and waits are short.
 */
#include <linux/fcntl.h>

#include "brought.h"
#include "locks.h"
#include "pid_ns.h"
#include "syscall.h"
#include "vfs_impl.h"

#define BUCKETS	   64u
#define MAX_OFFSET 0x7fffffffffffffffULL

struct lock {
	struct list_head node;
	u64 dev, ino;
	enum lock_kind kind;
	u32 type;
	u64 start, end;
	const void *owner;
	int pid;
};

/* A POSIX owner that waits, and for whom: to find cycles. */
struct lock_wait {
	struct list_head node;
	const void *owner, *blocker;
};

static struct mutex lock;
static struct list_head buckets[BUCKETS]; /* zero: empty, see bucket_of() */
static struct list_head waits = LIST_HEAD_INIT(waits);
static struct waitq freed = WAITQ_INIT(freed);
static u32 generation; /* counts releases, for sleepers */
static u32 n_posix;    /* while 0, closing a file need not look */

static struct list_head *bucket_of(u64 dev, u64 ino)
{
	struct list_head *b = &buckets[hash_u64(dev * 31 + ino) % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

static const void *owner_of(struct file *f, enum lock_kind kind)
{
	return kind == LOCK_POSIX ? (void *)current->files : (void *)f;
}

/* ---- with `lock` held ---- */

static bool overlaps(const struct lock *l, u64 start, u64 end)
{
	return l->start <= end && start <= l->end;
}

static bool conflicts(const struct lock *l, const struct lock *want)
{
	if ((l->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK) || l->owner == want->owner)
		return false;
	return (l->type == F_WRLCK || want->type == F_WRLCK) && overlaps(l, want->start, want->end);
}

static struct lock *find_conflict(const struct lock *want)
{
	struct list_head *b = bucket_of(want->dev, want->ino);
	struct lock *l;

	list_for_each(l, b, node)
		if (l->dev == want->dev && l->ino == want->ino && conflicts(l, want))
			return l;
	return NULL;
}

static void lock_free(struct lock *l)
{
	list_del(&l->node);
	if (l->kind == LOCK_POSIX)
		n_posix--;
	kfree(l);
}

static void lock_insert(struct lock *l)
{
	list_add_tail(&l->node, bucket_of(l->dev, l->ino));
	if (l->kind == LOCK_POSIX)
		n_posix++;
}

/*
 * Take the owner's own locks out of the range: cut, split or remove them. *spare is used for a
 * split. Returns whether anything went.
 */
static bool carve(const struct lock *want, struct lock **spare)
{
	struct list_head *b = bucket_of(want->dev, want->ino);
	struct lock *l, *next;
	bool changed = false;

	list_for_each_safe(l, next, b, node)
	{
		if (l->dev != want->dev || l->ino != want->ino || l->kind != want->kind ||
		    l->owner != want->owner || !overlaps(l, want->start, want->end))
			continue;
		changed = true;
		if (l->start < want->start && l->end > want->end) {
			struct lock *tail = *spare;

			*spare = NULL;
			*tail = *l;
			tail->start = want->end + 1;
			l->end = want->start - 1;
			lock_insert(tail);
		} else if (l->start < want->start) {
			l->end = want->start - 1;
		} else if (l->end > want->end) {
			l->start = want->end + 1;
		} else {
			lock_free(l);
		}
	}
	return changed;
}

/* Grow *l over its owner's neighbours of the same type, which go. */
static void merge(struct lock *l)
{
	struct list_head *b = bucket_of(l->dev, l->ino);
	struct lock *o, *next;

	list_for_each_safe(o, next, b, node)
	{
		if (o == l || o->dev != l->dev || o->ino != l->ino || o->kind != l->kind ||
		    o->owner != l->owner || o->type != l->type)
			continue;
		if (o->end + 1 == l->start) {
			l->start = o->start;
			lock_free(o);
		} else if (l->end != MAX_OFFSET && l->end + 1 == o->start) {
			l->end = o->end;
			lock_free(o);
		}
	}
}

static bool would_deadlock(const void *owner, const void *blocker)
{
	for (int depth = 0; depth < 64; depth++) {
		struct lock_wait *w;
		const void *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each(w, &waits, node)
			if (w->owner == blocker)
				next = w->blocker;
		if (!next)
			return false;
		blocker = next;
	}
	return true;
}

/* ---- setting ---- */

static void released(void)
{
	__atomic_add_fetch(&generation, 1, __ATOMIC_SEQ_CST);
	waitq_wake_all(&freed, 0);
}

/* 0: done. -EAGAIN: somebody is in the way (*blocker). Uses up *l and *spare as needed. */
static int try_set(struct lock **l, struct lock **spare, const struct lock *want,
		   const void **blocker)
{
	struct lock *other;
	bool changed;

	guard(&lock);
	other = want->type == F_UNLCK ? NULL : find_conflict(want);
	if (other) {
		*blocker = other->owner;
		return -EAGAIN;
	}
	changed = carve(want, spare);
	if (want->type != F_UNLCK) {
		struct lock *mine = *l;

		*l = NULL;
		*mine = *want;
		lock_insert(mine);
		merge(mine);
	}
	if (changed)
		released();
	return 0;
}

static int wait_for_release(const struct lock *want, const void *blocker, u32 seen)
{
	struct lock_wait w = {.owner = want->owner, .blocker = blocker};
	long r;

	if (want->kind == LOCK_POSIX) {
		guard(&lock);
		if (would_deadlock(want->owner, blocker))
			return -EDEADLK;
		list_add(&w.node, &waits);
	}
	r = wait_event(&freed, __atomic_load_n(&generation, __ATOMIC_SEQ_CST) != seen, MC_FOREVER);
	if (want->kind == LOCK_POSIX) {
		guard(&lock);
		list_del(&w.node);
	}
	return r;
}

int lock_set(struct file *f, const struct lock_req *q)
{
	struct lock want = {.kind = q->kind,
			    .type = q->type,
			    .start = q->start,
			    .end = q->end,
			    .owner = owner_of(f, q->kind),
			    .pid = current->proc->pid};
	struct lock *l = kmalloc(sizeof(*l)), *spare = kmalloc(sizeof(*spare));
	int r = l && spare ? -EAGAIN : -ENOLCK;

	file_identity(f, &want.dev, &want.ino);
	if (q->kind != LOCK_POSIX)
		__atomic_or_fetch(&f->mode, FMODE_LOCKED, __ATOMIC_RELAXED);
	if (q->kind == LOCK_OFD)
		want.pid = -1;
	while (r == -EAGAIN) {
		u32 seen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
		const void *blocker = NULL;

		r = try_set(&l, &spare, &want, &blocker);
		if (r != -EAGAIN || !q->wait)
			break;
		r = wait_for_release(&want, blocker, seen);
		if (!r)
			r = -EAGAIN; /* try again */
	}
	kfree(l);
	kfree(spare);
	return r;
}

int lock_test(struct file *f, const struct lock_req *q, struct lock_req *found, int *pid)
{
	struct lock want = {.kind = q->kind,
			    .type = q->type,
			    .start = q->start,
			    .end = q->end,
			    .owner = owner_of(f, q->kind)};
	struct lock *l;

	file_identity(f, &want.dev, &want.ino);
	guard(&lock);
	l = find_conflict(&want);
	*found = *q;
	found->type = F_UNLCK;
	if (l) {
		found->type = l->type;
		found->start = l->start;
		found->end = l->end;
		*pid = l->pid;
	}
	return 0;
}

/* ---- the end of an owner ---- */

static void drop_owner(struct file *f, const void *owner, bool posix)
{
	struct lock *l, *next;
	u64 dev, ino;
	bool any = false;

	file_identity(f, &dev, &ino);
	guard(&lock);
	list_for_each_safe(l, next, bucket_of(dev, ino), node)
	{
		if (l->owner != owner || l->dev != dev || l->ino != ino ||
		    (l->kind == LOCK_POSIX) != posix)
			continue;
		lock_free(l);
		any = true;
	}
	if (any)
		released();
}

/* Closing any descriptor of a file gives up the process's POSIX locks on it. */
void locks_close_posix(struct file *f, struct fdtable *owner)
{
	if (__atomic_load_n(&n_posix, __ATOMIC_RELAXED))
		drop_owner(f, owner, true);
}

void locks_release_file(struct file *f)
{
	drop_owner(f, f, false);
}

/* ---- system calls ---- */

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

long sys_flock(u64 fd, u64 op)
{
	struct file *f __file = fd_get_io((int)fd);
	struct lock_req q = {.kind = LOCK_FLOCK, .end = MAX_OFFSET, .wait = !(op & LOCK_NB)};
	int r;

	if (!f)
		return -EBADF;
	switch ((u32)op & ~(u32)LOCK_NB) {
	case LOCK_SH:
		q.type = F_RDLCK;
		break;
	case LOCK_EX:
		q.type = F_WRLCK;
		break;
	case LOCK_UN:
		q.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	/* A conversion is not atomic: the old lock goes first, as flock(2) says. */
	if (q.type != F_UNLCK && (f->mode & FMODE_LOCKED)) {
		struct lock_req test = q, none = q;
		int pid;

		none.type = F_UNLCK;
		lock_test(f, &test, &test, &pid);
		if (test.type != F_UNLCK) {
			if (!q.wait)
				return -EWOULDBLOCK;
			lock_set(f, &none);
		}
	}
	r = lock_set(f, &q);
	return r;
}

/* struct flock to a range; negative lengths lie before the start. */
static int range_of(struct file *f, const struct flock *fl, struct lock_req *q)
{
	struct statx st;
	s64 start = fl->l_start;
	int r;

	switch (fl->l_whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		start += f->mode & FMODE_HOST ? host_position(f) : f->pos;
		break;
	case SEEK_END:
		r = vfs_fstat(f, &st);
		if (r)
			return r;
		start += st.stx_size;
		break;
	default:
		return -EINVAL;
	}
	if (fl->l_len < 0) {
		q->end = start - 1;
		start += fl->l_len;
	} else {
		q->end = fl->l_len ? (u64)start + fl->l_len - 1 : MAX_OFFSET;
	}
	if (start < 0)
		return -EINVAL;
	if (q->end > MAX_OFFSET)
		return -EOVERFLOW;
	q->start = start;
	return 0;
}

static long get_lock(struct file *f, struct lock_req *q, struct flock *fl, uaddr_t arg)
{
	struct lock_req found;
	int pid = 0;

	if (q->type == F_UNLCK)
		return -EINVAL;
	lock_test(f, q, &found, &pid);
	fl->l_type = found.type;
	if (found.type != F_UNLCK) {
		fl->l_whence = SEEK_SET;
		fl->l_start = found.start;
		fl->l_len = found.end == MAX_OFFSET ? 0 : found.end - found.start + 1;
		fl->l_pid = pid_shown(pid);
	}
	return mc_copy_to_user(arg, fl, sizeof(*fl)) ? -EFAULT : 0;
}

long lock_fcntl(struct file *f, u32 cmd, uaddr_t arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	struct lock_req q = {.kind = ofd ? LOCK_OFD : LOCK_POSIX};
	struct flock fl;
	int r;

	if (mc_copy_from_user(&fl, arg, sizeof(fl)))
		return -EFAULT;
	if (ofd && fl.l_pid)
		return -EINVAL;
	q.type = (u16)fl.l_type;
	if (q.type != F_RDLCK && q.type != F_WRLCK && q.type != F_UNLCK)
		return -EINVAL;
	r = range_of(f, &fl, &q);
	if (r)
		return r;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		return get_lock(f, &q, &fl, arg);
	if ((q.type == F_RDLCK && !(f->mode & FMODE_READ)) ||
	    (q.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	q.wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	return lock_set(f, &q);
}
