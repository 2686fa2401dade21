/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_submit(2) and its kin. A request is done when it is submitted, as Linux does all but direct I/O; what is left
 * to ask for is its event.
 *
 * A context's number is the address of a page of the process's, as on Linux: libaio looks there for a ring of
 * events, and makes the system call where it finds none.
 */
#include <linux/aio_abi.h>
#include <linux/mman.h>

#include "fs.h"
#include "ktime.h"
#include "mm.h"
#include "signal.h"
#include "syscall.h"
#include "task.h"
#include "vfs_impl.h"

#define MAX_EVENTS 65536u /* of all contexts: /proc/sys/fs/aio-max-nr */

struct aio {
	struct list_head node; /* in the mm's */
	refcount_t ref;
	uaddr_t id;
	struct mutex lock; /* what follows */
	bool dead;
	u32 room, first, n; /* events[first] is the oldest */
	struct waitq wait;
	struct io_event *events;
};

static struct mutex contexts_lock; /* the lists of all mms, and: */
static u32 all_events;

static void aio_put(struct aio *c)
{
	if (!c || !ref_put(&c->ref))
		return;
	__atomic_sub_fetch(&all_events, c->room, __ATOMIC_RELAXED);
	kfree(c->events);
	kfree(c);
}

static void aio_put_cleanup(struct aio **c) { aio_put(*c); }
#define __aio __cleanup(aio_put_cleanup)

/* With a reference, or NULL. `take`: off the list. */
static struct aio *aio_find(u64 id, bool take)
{
	struct mm *mm = current->mm;
	struct aio *c;

	guard(&contexts_lock);
	if (!mm->aio.next)
		return NULL;
	list_for_each(c, &mm->aio, node)
		if (c->id == id) {
			if (take)
				list_del(&c->node);
			else
				ref_get(&c->ref);
			return c;
		}
	return NULL;
}

static struct aio *aio_new(u32 n)
{
	struct aio *c = kzalloc(sizeof(*c));

	if (c)
		c->events = kmalloc(n * sizeof(*c->events));
	if (!c || !c->events) {
		kfree(c);
		return NULL;
	}
	ref_init(&c->ref);
	waitq_init(&c->wait);
	c->room = n;
	__atomic_add_fetch(&all_events, n, __ATOMIC_RELAXED);
	return c;
}

static void aio_end(struct aio *c)
{
	mutex_lock(&c->lock);
	c->dead = true;
	mutex_unlock(&c->lock);
	waitq_wake_all(&c->wait, 0);
	aio_put(c);
}

void aio_mm_end(struct mm *mm)
{
	struct aio *c, *next;

	if (mm->aio.next)
		list_for_each_safe(c, next, &mm->aio, node)
			aio_end(c);
}

long sys_io_setup(u64 n_arg, u64 to)
{
	struct mm *mm = current->mm;
	u32 n = (u32)n_arg;
	struct aio *c;
	u64 id;
	s64 page;

	if (mc_copy_from_user(&id, to, sizeof(id)))
		return -EFAULT;
	if (id || !n)
		return -EINVAL;
	if (n > MAX_EVENTS || READ_ONCE(all_events) + n > MAX_EVENTS)
		return -EAGAIN;
	page = mm_map(mm, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, NULL);
	if (page < 0)
		return page;
	c = aio_new(n);
	if (!c || mc_copy_to_user(to, &page, sizeof(page))) {
		aio_put(c);
		mm_unmap(mm, (uaddr_t)page, PAGE_SIZE);
		return c ? -EFAULT : -ENOMEM;
	}
	c->id = (uaddr_t)page;
	guard(&contexts_lock);
	if (!mm->aio.next)
		list_init(&mm->aio);
	list_add_tail(&c->node, &mm->aio);
	return 0;
}

long sys_io_destroy(u64 id)
{
	struct aio *c = aio_find(id, true);

	if (!c)
		return -EINVAL;
	mm_unmap(current->mm, c->id, PAGE_SIZE);
	aio_end(c);
	return 0;
}

/* ---- requests ---- */

static bool reserve(struct aio *c)
{
	guard(&c->lock);
	if (c->dead || c->n == c->room)
		return false;
	c->n++; /* its event is filled in by complete() */
	c->events[(c->first + c->n - 1) % c->room].obj = 0;
	return true;
}

/* Requests of other threads may be between their place and their event: the newest place is not always ours. */
static void complete(struct aio *c, const struct io_event *event)
{
	mutex_lock(&c->lock);
	for (u32 i = 0; i < c->n; i++) {
		struct io_event *e = &c->events[(c->first + i) % c->room];

		if (!e->obj) {
			*e = *event;
			break;
		}
	}
	mutex_unlock(&c->lock);
	waitq_wake_all(&c->wait, 0);
}

static void give_back(struct aio *c)
{
	guard(&c->lock);
	c->n--; /* the newest place; another one that is not filled takes its part */
}

static s64 transfer(struct file *f, const struct iocb *cb, bool writes, bool vector)
{
	s64 at = f->mode & FMODE_STREAM ? -1 : cb->aio_offset;
	struct mc_iovec iov = { cb->aio_buf, min(cb->aio_nbytes, (u64)MAX_RW_COUNT) };

	if (at < 0 && !(f->mode & FMODE_STREAM))
		return -EINVAL;
	if (vector)
		return vfs_rw_vector(f, cb->aio_buf, cb->aio_nbytes, at, (int)cb->aio_rw_flags, writes);
	return vfs_rw(f, &iov, 1, at, (int)cb->aio_rw_flags, writes);
}

/* What keeps a request from being one, before anything is done. */
static int check(struct file *f, const struct iocb *cb)
{
	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		return f->mode & FMODE_READ ? 0 : -EBADF;
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		return f->mode & FMODE_WRITE ? 0 : -EBADF;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
			return -EINVAL;
		return f->ops->fsync ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static s64 perform(struct file *f, const struct iocb *cb)
{
	u32 op = cb->aio_lio_opcode;
	s64 r;

	if (op == IOCB_CMD_FSYNC || op == IOCB_CMD_FDSYNC)
		r = f->ops->fsync(f, op == IOCB_CMD_FDSYNC);
	else
		r = transfer(f, cb, op == IOCB_CMD_PWRITE || op == IOCB_CMD_PWRITEV,
			     op == IOCB_CMD_PREADV || op == IOCB_CMD_PWRITEV);
	return r == -ERESTARTSYS ? -EINTR : r;
}

static int submit_file(struct aio *c, uaddr_t user, const struct iocb *cb)
{
	struct file *f __file = fd_get_io((int)cb->aio_fildes), *notify __file = NULL;
	int r = f ? 0 : -EBADF;

	if (!r && cb->aio_flags & IOCB_FLAG_RESFD) {
		notify = fd_get_io((int)cb->aio_resfd);
		r = !notify ? -EBADF : file_is_eventfd(notify) ? 0 : -EINVAL;
	}
	if (!r && mc_clear_user(user + __builtin_offsetof(struct iocb, aio_key), sizeof(cb->aio_key)))
		r = -EFAULT;
	if (!r)
		r = check(f, cb);
	if (r)
		return r;
	complete(c, &(struct io_event){ .data = cb->aio_data, .obj = user, .res = perform(f, cb) });
	if (notify)
		eventfd_signal(notify);
	return 0;
}

static int submit(struct aio *c, uaddr_t user)
{
	struct iocb cb;
	int r;

	if (!user || mc_copy_from_user(&cb, user, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || (s64)cb.aio_nbytes < 0)
		return -EINVAL;
	if (!reserve(c))
		return -EAGAIN;
	r = submit_file(c, user, &cb);
	if (r)
		give_back(c);
	return r;
}

long sys_io_submit(u64 id, u64 n_arg, u64 list)
{
	struct aio *c __aio = aio_find(id, false);
	long n = (long)n_arg, done;
	uaddr_t user;
	int r = 0;

	if (!c || n < 0)
		return -EINVAL;
	n = min(n, (long)c->room);
	for (done = 0; done < n; done++) {
		r = mc_copy_from_user(&user, list + (u64)done * 8, sizeof(user)) ? -EFAULT : submit(c, user);
		if (r)
			break;
	}
	return done ? done : r;
}

/* Nothing is under way that could be cancelled. */
long sys_io_cancel(u64 id, u64 iocb, u64 result)
{
	struct aio *c __aio = aio_find(id, false);
	u32 key;

	if (mc_copy_from_user(&key, iocb + __builtin_offsetof(struct iocb, aio_key), sizeof(key)))
		return -EFAULT;
	return -EINVAL;
}

/* ---- events ---- */

static bool ready(struct aio *c)
{
	guard(&c->lock);
	return c->dead || (c->n && c->events[c->first].obj);
}

static bool take(struct aio *c, struct io_event *event)
{
	guard(&c->lock);
	if (!c->n || !c->events[c->first].obj)
		return false;
	*event = c->events[c->first];
	c->first = (c->first + 1) % c->room;
	c->n--;
	return true;
}

static long collect(struct aio *c, long least, long n, uaddr_t to, u64 deadline)
{
	struct io_event event;
	long got = 0, r = 0;

	while (got < n) {
		if (take(c, &event)) {
			if (mc_copy_to_user(to + (u64)got * sizeof(event), &event, sizeof(event)))
				return got ? got : -EFAULT;
			got++;
			continue;
		}
		if (got >= least || r)
			break;
		r = READ_ONCE(c->dead) ? -EINVAL : wait_event(&c->wait, ready(c), deadline);
	}
	if (got || !r || r == -ETIMEDOUT)
		return got;
	return r == -ERESTARTSYS ? -EINTR : r;
}

static long get_events(u64 id, long least, long n, uaddr_t to, uaddr_t timeout)
{
	struct aio *c __aio = NULL;
	u64 deadline = MC_FOREVER;
	s64 ts[2];

	if (timeout) {
		if (mc_copy_from_user(ts, timeout, sizeof(ts)))
			return -EFAULT;
		deadline = ts[0] < 0 || ts[1] < 0 ? MC_FOREVER :
			   deadline_of(CLOCK_MONOTONIC, (u64)ts[0] * NSEC_PER_SEC + (u64)ts[1], false);
	}
	c = aio_find(id, false);
	if (!c || least < 0 || least > n)
		return -EINVAL;
	return collect(c, least, n, to, deadline);
}

long sys_io_getevents(u64 id, u64 least, u64 n, u64 to, u64 timeout)
{
	return get_events(id, (long)least, (long)n, to, timeout);
}

long sys_io_pgetevents(u64 id, u64 least, u64 n, u64 to, u64 timeout, u64 usig)
{
	struct { u64 mask, size; } sig = { 0 };
	long r;

	if (usig && mc_copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	r = set_user_sigmask(sig.mask, sig.size);
	if (r)
		return r;
	r = get_events(id, (long)least, (long)n, to, timeout);
	restore_user_sigmask(r == -EINTR);
	return r;
}
