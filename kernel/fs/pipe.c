/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes: read, write, poll, the life of a pipe (pipe(7)).
 *
 * Waking another process is dear, so a write wakes a reader only when it found the pipe empty,
 * and a read wakes writers only when as much room is free as one of them waits for. A big write
 * to a full pipe waits for half of the pipe: until all of it fits it would have to sleep again
 * anyway.
 */
#include <asm/ioctls.h>
#include <linux/poll.h>

#include "pipe_impl.h"
#include "cred.h"
#include "stat_run.h"
#include "syscall.h"
#include "task.h"

bool pipe_empty(const struct pipe *p)
{
	return pipe_used(p) == 0;
}

size_t pipe_room(const struct pipe *p)
{
	size_t used = pipe_used(p);

	return used < p->limit ? p->limit - used : 0;
}

bool pipe_has_writers(const struct pipe *p)
{
	return __atomic_load_n(&p->writers, __ATOMIC_ACQUIRE) != 0;
}

bool pipe_has_readers(const struct pipe *p)
{
	return __atomic_load_n(&p->readers, __ATOMIC_ACQUIRE) != 0;
}

/* ---- reading ---- */

static long wait_data(struct pipe *p)
{
	long err = wait_event_exclusive(&p->rd_wait, !pipe_empty(p) || !pipe_has_writers(p),
					MC_FOREVER);

	if (err && !pipe_empty(p))
		waitq_wake(&p->rd_wait, POLLIN | POLLRDNORM, 1);
	return err;
}

/* Readers took bytes: head went forward from `before`. */
static void wake_writers(struct pipe *p, u64 before)
{
	size_t old_room, room;
	u64 need;

	smp_mb(); /* against wait_room(): it announces its need, then looks at head */
	room = pipe_room(p);
	old_room = room - min((size_t)(p->head - before), room);
	need = __atomic_load_n(&p->wr_need, __ATOMIC_RELAXED);
	if (need <= room) {
		__atomic_store_n(&p->wr_need, ~0ULL, __ATOMIC_SEQ_CST);
		waitq_wake_all(&p->wr_wait, POLLOUT | POLLWRNORM);
	} else if (p->polled && old_room < PIPE_BUF && room >= PIPE_BUF) {
		waitq_wake_all(&p->wr_wait, POLLOUT | POLLWRNORM);
	}
}

static s64 take(struct pipe *p, struct uio *u)
{
	u64 before, after;
	s64 done;

	{
		guard(&p->rd_lock);
		before = p->head;
		done = pipe_ring_take(p, u);
		after = p->head;
	}
	if (after != before)
		wake_writers(p, before);
	if (done > 0 && !pipe_empty(p)) /* the writer woke one reader only: pass it on */
		waitq_wake(&p->rd_wait, POLLIN | POLLRDNORM, 1);
	return done;
}

static s64 pipe_read(struct file *f, struct uio *u, s64 *pos)
{
	struct pipe *p = f->priv;

	if (!u->resid)
		return 0;
	for (;;) {
		bool writers = pipe_has_writers(
			p); /* before the look at the data: the last one may write and go */
		s64 done = take(p, u);
		long err;

		if (done || !writers)
			return done;
		if (u->nowait)
			return -EAGAIN;
		err = wait_data(p);
		if (err)
			return err;
	}
}

void pipe_consume(struct pipe *p, size_t n)
{
	u64 before;

	{
		guard(&p->rd_lock);
		before = p->head;
		pipe_ring_drop(p, n);
	}
	wake_writers(p, before);
}

long pipe_wait_data(struct pipe *p, bool nowait)
{
	if (!pipe_empty(p) || !pipe_has_writers(p))
		return 0;
	return nowait ? -EAGAIN : wait_data(p);
}

/* ---- writing ---- */

/* Lower wr_need to n, then look again: pairs with wake_writers(). */
static bool room_or_announce(struct pipe *p, size_t n)
{
	u64 old = __atomic_load_n(&p->wr_need, __ATOMIC_RELAXED);

	while (old > n && !__atomic_compare_exchange_n(&p->wr_need, &old, n, false,
						       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	smp_mb();
	return pipe_room(p) >= n || !pipe_has_readers(p);
}

static long wait_room(struct pipe *p, size_t n)
{
	return wait_event(&p->wr_wait, room_or_announce(p, n), MC_FOREVER);
}

long pipe_wait_room(struct pipe *p, bool nowait)
{
	if (pipe_room(p) || !pipe_has_readers(p))
		return 0;
	return nowait ? -EAGAIN : wait_room(p, PIPE_BUF);
}

static void publish(struct pipe *p, size_t n)
{
	u64 old = p->tail;

	__atomic_store_n(&p->tail, old + n, __ATOMIC_RELEASE);
	smp_mb(); /* against a reader that takes all, then looks at tail, then sleeps */
	if (__atomic_load_n(&p->head, __ATOMIC_RELAXED) == old || p->polled)
		waitq_wake(&p->rd_wait, POLLIN | POLLRDNORM, 1);
}

/* As much as fits, at least `least`; wr_lock is held. 0: no room. */
static s64 put_some(struct pipe *p, struct uio *u, size_t least, bool packet)
{
	size_t room = pipe_room(p), n = min(u->resid, room);
	s64 done;

	if (room < least)
		return 0;
	if (packet)
		n = min(n, (size_t)PIPE_BUF);
	if (pipe_ring_fit(p, n))
		return -ENOMEM;
	done = pipe_ring_put(p, u, n);
	if (done > 0 && packet && pipe_packet_add(p, p->tail, p->tail + done))
		return -ENOMEM;
	if (done > 0)
		publish(p, done);
	return done;
}

/* The least room with which a write of `total` bytes, `resid` of them left, can go on. */
static size_t least_room(const struct uio *u, size_t total, bool packet)
{
	if (packet)
		return min(u->resid, (size_t)PIPE_BUF);
	return total <= PIPE_BUF ? u->resid : 1; /* atomic up to PIPE_BUF */
}

static s64 write_locked(struct pipe *p, struct uio *u, size_t total, bool packet)
{
	s64 sum = 0, done;

	guard(&p->wr_lock);
	do {
		if (!pipe_has_readers(p))
			return sum ? sum : -EPIPE;
		done = put_some(p, u, least_room(u, total, packet), packet);
		if (done < 0 && !sum)
			return done;
		if (done > 0)
			sum += done;
	} while (done > 0 && u->resid);
	return sum;
}

static s64 pipe_write(struct file *f, struct uio *u, s64 *pos)
{
	struct pipe *p = f->priv;
	size_t total = u->resid, want;
	bool packet = f->flags & O_DIRECT, waited = false;
	s64 sum = 0, done;
	long err;

	while (u->resid) {
		done = write_locked(p, u, total, packet);
		if (done == -EPIPE && !sum)
			send_signal_task(current, SIGPIPE, NULL);
		if (done < 0)
			return sum ? sum : done;
		sum += done;
		if (!u->resid && !waited)
			stat_run_pass();
		if (!u->resid)
			break;
		if (done) /* the writer has filled it, or memory ran out half-way: look again */
			continue;
		if (u->nowait)
			return sum ? sum : -EAGAIN;
		/* As Linux, whose pipes have room page by page: PIPE_BUF, for however little. */
		want = min(u->resid, (size_t)p->limit / 2);
		waited = true;
		err = wait_room(p, max(want, (size_t)PIPE_BUF));
		if (err)
			return sum ? sum : err;
	}
	return sum;
}

/* ---- the rest ---- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mask = 0;

	if (pt && pt->fn)
		WRITE_ONCE(p->polled, true);
	if (f->mode & FMODE_READ)
		poll_wait(pt, f, &p->rd_wait);
	if (f->mode & FMODE_WRITE)
		poll_wait(pt, f, &p->wr_wait);
	smp_mb();
	if (f->mode & FMODE_READ) {
		/*
		 * A FIFO opened without blocking, which never had a writer, is not hung up
		 * (pos: see fifo.c).
		 */
		if (!pipe_has_writers(p) && (u32)f->pos != READ_ONCE(p->w_opens))
			mask |= POLLHUP;
		if (!pipe_empty(p))
			mask |= POLLIN | POLLRDNORM;
	}
	if (f->mode & FMODE_WRITE) {
		if (pipe_room(p) >= PIPE_BUF)
			mask |= POLLOUT | POLLWRNORM;
		if (!pipe_has_readers(p))
			mask |= POLLERR;
	}
	return mask;
}

static s64 pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	n = pipe_used(f->priv);
	return mc_copy_to_user(arg, &n, sizeof(n));
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	if ((f->mode & FMODE_READ) && __atomic_sub_fetch(&p->readers, 1, __ATOMIC_SEQ_CST) == 0)
		waitq_wake_all(&p->wr_wait, POLLOUT | POLLERR | POLLWRNORM);
	if ((f->mode & FMODE_WRITE) && __atomic_sub_fetch(&p->writers, 1, __ATOMIC_SEQ_CST) == 0)
		waitq_wake_all(&p->rd_wait, POLLIN | POLLHUP | POLLRDNORM);
	pipe_put(p);
}

const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

struct pipe *pipe_of_file(struct file *f)
{
	return f->ops == &pipe_ops ? f->priv : NULL;
}

struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	ref_init(&p->ref);
	p->limit = PIPE_DEFAULT_SIZE;
	p->wr_need = ~0ULL;
	waitq_init(&p->rd_wait);
	waitq_init(&p->wr_wait);
	list_init(&p->packets);
	list_init(&p->node);
	return p;
}

void pipe_put(struct pipe *p)
{
	if (!ref_put(&p->ref))
		return;
	fifo_forget(p);
	pipe_packets_free(p);
	kfree(p->buf);
	kfree(p);
}

long pipe_get_size(struct file *f)
{
	struct pipe *p = pipe_of_file(f);

	return p ? (long)p->limit : -EBADF;
}

long pipe_set_size(struct file *f, u64 size)
{
	struct pipe *p = pipe_of_file(f);
	u32 limit = PAGE_SIZE;

	if (!p)
		return -EBADF;
	if (size > 1u << 31)
		return -EINVAL;
	while (limit < size)
		limit *= 2;
	if (limit > p->limit && limit > PIPE_MAX_SIZE && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	{
		guard(&p->wr_lock);
		if (limit < pipe_used(p))
			return -EBUSY;
		if (limit < p->cap && pipe_ring_resize(p, limit))
			return -ENOMEM;
		p->limit = limit;
	}
	waitq_wake_all(&p->wr_wait, POLLOUT | POLLWRNORM);
	return limit;
}
