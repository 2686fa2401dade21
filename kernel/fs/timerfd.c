/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd(2). A periodic timer is not started again before its expiry was read: how
 * often it expired is a matter of arithmetic then.
 */
#include <asm/poll.h>
#include <linux/timerfd.h>

#include "cred.h"
#include "fs.h"
#include "ktime.h"
#include "syscall.h"

struct timerfd {
	struct mutex lock;
	int clock;
	u64 expires, interval; /* CLOCK_MONOTONIC; expires 0: off */
	u64 ticks;             /* not yet read */
	bool expired;          /* expires is past, and counted once in ticks */
	struct ktimer timer;
	struct waitq wait;
};

/* Lock held. */
static void note_expiry(struct timerfd *t)
{
	if (t->expired || !t->expires || t->expires > monotonic_now())
		return;
	t->expired = true;
	t->ticks++;
}

/* Count what has expired since, and go on. Lock held. */
static void forward(struct timerfd *t)
{
	note_expiry(t);
	if (!t->expired)
		return;
	t->expired = false;
	t->ticks += timer_forward(&t->expires, t->interval, monotonic_now()) - 1;
	if (t->expires)
		ktimer_start(&t->timer, t->expires);
}

static void timerfd_fire(struct ktimer *k)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);

	mutex_lock(&t->lock);
	note_expiry(t);
	mutex_unlock(&t->lock);
	waitq_wake_all(&t->wait, POLLIN);
}

static bool ready(struct timerfd *t)
{
	guard(&t->lock);
	note_expiry(t);
	return t->ticks != 0;
}

static u64 take_ticks(struct timerfd *t)
{
	u64 ticks;

	guard(&t->lock);
	forward(t);
	ticks = t->ticks;
	t->ticks = 0;
	return ticks;
}

/* A reader wakes itself at the expiry it knows of; for a new one he is woken. */
static u64 wake_time(struct timerfd *t)
{
	guard(&t->lock);
	return t->expires && !t->expired ? t->expires : MC_FOREVER;
}

static s64 timerfd_read(struct file *f, struct uio *u, s64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;
	long err;

	if (u->resid < sizeof(ticks))
		return -EINVAL;
	while (!(ticks = take_ticks(t))) {
		if (u->nowait)
			return -EAGAIN;
		err = wait_event(&t->wait, ready(t), wake_time(t));
		if (err && err != -ETIMEDOUT)
			return err;
	}
	return uio_put(u, &ticks, sizeof(ticks));
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(pt, f, &t->wait);
	return ready(t) ? POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

static int check_create(int clock, u32 flags)
{
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (!clock_is_wall(clock) || clock == CLOCK_TAI)
		return -EINVAL;
	return alarm && !capable(CAP_WAKE_ALARM) ? -EPERM : 0;
}

long sys_timerfd_create(u64 clock, u64 uflags)
{
	u32 flags = (u32)uflags;
	struct timerfd *t;
	struct file *f;
	int err = check_create((int)clock, flags);

	if (err)
		return err;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = (int)clock;
	waitq_init(&t->wait);
	err = ktimer_init(&t->timer, timerfd_fire);
	f = err ? NULL : anon_file("timerfd", &timerfd_ops, O_RDWR | (flags & O_NONBLOCK),
				   FMODE_READ | FMODE_STREAM, 0600, t);
	if (!f) {
		kfree(t);
		return -ENOMEM;
	}
	return fd_install(f, flags & O_CLOEXEC);
}

/* ---- set, get ---- */

static struct timerfd *timerfd_of(struct file *f)
{
	if (!f)
		return ERR_PTR(-EBADF);
	return f->ops == &timerfd_ops ? f->priv : ERR_PTR(-EINVAL);
}

/* Lock held. */
static void read_timer(struct timerfd *t, u64 *value, u64 *interval)
{
	u64 now;

	forward(t);
	now = monotonic_now();
	*interval = t->interval;
	*value = !t->expires ? 0 : t->expires > now ? t->expires - now : 1;
}

static void set_timer(struct timerfd *t, u64 value, u64 interval, bool absolute)
{
	t->expired = false;
	t->ticks = 0;
	t->interval = interval;
	t->expires = value ? max(deadline_of(t->clock, value, absolute), (u64)1) : 0;
	if (t->expires)
		ktimer_start(&t->timer, t->expires);
	else
		ktimer_stop(&t->timer);
}

long sys_timerfd_settime(u64 fd, u64 uflags, u64 new, u64 old)
{
	u64 value, interval, was, was_interval;
	u32 flags = (u32)uflags;
	struct file *f __file = NULL;
	struct timerfd *t;
	int err;

	/* CANCEL_ON_SET: nobody in a container sets the clock. */
	if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = get_itimerspec(new, &value, &interval);
	if (err)
		return err;
	f = fd_get_io((int)fd);
	t = timerfd_of(f);
	if (IS_ERR(t))
		return PTR_ERR(t);
	mutex_lock(&t->lock);
	read_timer(t, &was, &was_interval);
	set_timer(t, value, interval, flags & TFD_TIMER_ABSTIME);
	mutex_unlock(&t->lock);
	waitq_wake_all(&t->wait, 0); /* readers sleep until another time now */
	return old ? put_itimerspec(old, was, was_interval) : 0;
}

long sys_timerfd_gettime(u64 fd, u64 to)
{
	struct file *f __file = fd_get_io((int)fd);
	struct timerfd *t = timerfd_of(f);
	u64 value, interval;

	if (IS_ERR(t))
		return PTR_ERR(t);
	mutex_lock(&t->lock);
	read_timer(t, &value, &interval);
	mutex_unlock(&t->lock);
	return put_itimerspec(to, value, interval);
}
