/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: what is written to the master is typed, what is written to the slave appears at
 * the master. The slave's end of life is its last close (EIO at the master until it is opened
 * again), the master's is a hangup.
 */
#include <asm/signal.h>
#include <linux/poll.h>

#include "cred.h"
#include "dev.h"
#include "pty.h"
#include "task.h"
#include "vfs_impl.h"

#define CHUNK 256u

static const struct termios2 initial = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {[VINTR] = 3,
		 [VQUIT] = 034,
		 [VERASE] = 0177,
		 [VKILL] = 025,
		 [VEOF] = 4,
		 [VMIN] = 1,
		 [VSTART] = 021,
		 [VSTOP] = 023,
		 [VSUSP] = 032,
		 [VREPRINT] = 022,
		 [VDISCARD] = 017,
		 [VWERASE] = 027,
		 [VLNEXT] = 026},
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

struct tty *tty_get(struct tty *tty)
{
	ref_get(&tty->ref);
	return tty;
}

void tty_put(struct tty *tty)
{
	if (!ref_put(&tty->ref))
		return;
	if (tty->host) {
		dev_tty_bury(tty);
		return;
	}
	kfree(tty->out);
	kfree(tty);
}

static struct tty *tty_new(void)
{
	struct tty *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->out = kmalloc(TTY_OUT);
	if (!t->out) {
		kfree(t);
		return NULL;
	}
	ref_init(&t->ref);
	t->t = initial;
	t->locked = true;
	waitq_init(&t->readable);
	waitq_init(&t->writable);
	waitq_init(&t->m_readable);
	waitq_init(&t->m_writable);
	return t;
}

/* ---- the slave ---- */

/* MIN and TIME of termios(3). When to give up waiting; MC_FOREVER: not before there is something. */
static u64 read_deadline(const struct tty *t)
{
	if ((t->t.c_lflag & ICANON) || t->t.c_cc[VMIN])
		return MC_FOREVER;
	return mc_clock(1 /* CLOCK_MONOTONIC */) + t->t.c_cc[VTIME] * 100 * NSEC_PER_MSEC;
}

static long slave_wait(struct tty *t, bool nowait)
{
	u64 deadline;

	if (ldisc_readable(t) || !t->master_open)
		return 0;
	deadline = read_deadline(t);
	if (nowait || (deadline != MC_FOREVER && !t->t.c_cc[VTIME]))
		return nowait ? -EAGAIN : -ETIMEDOUT;
	return wait_event(&t->readable, ldisc_readable(t) || !t->master_open, deadline);
}

static s64 slave_read(struct file *f, struct uio *u, s64 *pos)
{
	struct tty *t = tty_of(f);
	u8 chunk[CHUNK];
	long r = tty_check_background(t, SIGTTIN);
	s64 done = 0;

	if (r)
		return r;
	if (!u->resid)
		return 0;
	r = slave_wait(t, u->nowait);
	if (r)
		return r == -ETIMEDOUT ? 0 : r;
	guard(&t->lock);
	while (u->resid && (!done || !(t->t.c_lflag & ICANON))) {
		size_t n = ldisc_read(t, chunk, min(u->resid, (size_t)CHUNK));

		if (!n)
			break;
		if (uio_put(u, chunk, n) < 0)
			return done ? done : -EFAULT;
		done += n;
		if (n == CHUNK && (t->t.c_lflag & ICANON) && chunk[n - 1] != '\n' && u->resid) {
			n = ldisc_read(t, chunk, min(u->resid, (size_t)CHUNK)); /* a long line */
			if (n && uio_put(u, chunk, n) > 0)
				done += n;
		}
	}
	return done;
}

/* Bytes that fitted. Lock held. */
static s64 write_out(struct tty *t, struct uio *u)
{
	u8 chunk[CHUNK];
	s64 done = 0;

	while (u->resid) {
		struct uio before = *u;
		s64 n = uio_get(u, chunk, sizeof(chunk)), i = 0;

		if (n < 0)
			return done ? done : n;
		while (i < n && ldisc_output(t, chunk[i]))
			i++;
		done += i;
		if (i < n) { /* full: give the rest back */
			*u = before;
			uio_get(u, chunk, i);
			break;
		}
	}
	if (tty_out_used(t) && !t->stopped)
		waitq_wake_all(&t->m_readable, POLLIN | POLLRDNORM);
	return done;
}

static bool out_ready(const struct tty *t)
{
	return TTY_OUT - tty_out_used(t) >= 8 || !t->master_open;
}

static s64 slave_write(struct file *f, struct uio *u, s64 *pos)
{
	struct tty *t = tty_of(f);
	s64 done = 0, n;
	long r = t->t.c_lflag & TOSTOP ? tty_check_background(t, SIGTTOU) : 0;

	while (!r && u->resid) {
		if (!t->master_open)
			return done ? done : -EIO;
		mutex_lock(&t->lock);
		n = write_out(t, u);
		mutex_unlock(&t->lock);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (!u->resid)
			break;
		if (u->nowait)
			return done ? done : -EAGAIN;
		r = wait_event(&t->writable, out_ready(t), MC_FOREVER);
	}
	return done ? done : r;
}

static u32 slave_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = tty_of(f);
	u32 mask = 0;

	poll_wait(pt, f, &t->readable);
	poll_wait(pt, f, &t->writable);
	if (!t->master_open)
		return POLLIN | POLLRDNORM | POLLOUT | POLLHUP | POLLERR;
	if (ldisc_readable(t))
		mask |= POLLIN | POLLRDNORM;
	if (out_ready(t))
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

static void slave_release(struct file *f)
{
	struct tty *t = tty_of(f);
	bool last;

	mutex_lock(&t->lock);
	last = !--t->slaves;
	mutex_unlock(&t->lock);
	if (last)
		waitq_wake_all(&t->m_readable, POLLHUP);
	tty_put(t);
}

const struct file_ops pty_slave_ops = {
	.read = slave_read,
	.write = slave_write,
	.poll = slave_poll,
	.ioctl = tty_ioctl,
	.release = slave_release,
};

/* ---- the master ---- */

static bool master_ready(const struct tty *t)
{
	return (tty_out_used(t) && !t->stopped) || (t->slave_opens && !t->slaves);
}

static s64 take_out(struct tty *t, struct uio *u)
{
	s64 done = 0;

	while (u->resid && tty_out_used(t)) {
		u32 at = t->out_head % TTY_OUT;
		s64 n = uio_put(u, t->out + at, min(tty_out_used(t), TTY_OUT - at));

		if (n <= 0)
			return done ? done : n;
		t->out_head += n;
		done += n;
	}
	waitq_wake_all(&t->writable, POLLOUT | POLLWRNORM);
	return done;
}

static s64 master_read(struct file *f, struct uio *u, s64 *pos)
{
	struct tty *t = tty_of(f);
	s64 n;
	long r;

	if (!u->resid)
		return 0;
	for (;;) {
		if (!master_ready(t) && u->nowait)
			return -EAGAIN;
		r = wait_event(&t->m_readable, master_ready(t), MC_FOREVER);
		if (r)
			return r;
		mutex_lock(&t->lock);
		n = t->stopped ? 0 : take_out(t, u);
		mutex_unlock(&t->lock);
		if (n)
			return n;
		if (t->slave_opens && !t->slaves)
			return -EIO;
	}
}

static bool in_ready(const struct tty *t)
{
	return tty_in_used(t) < TTY_IN - 1 || (t->t.c_lflag & ICANON);
}

/* A line that is too long loses its end, so only raw input waits for room. */
static s64 master_write(struct file *f, struct uio *u, s64 *pos)
{
	struct tty *t = tty_of(f);
	s64 done = 0;
	long r = 0;

	while (u->resid && !r) {
		mutex_lock(&t->lock);
		while (u->resid && in_ready(t)) {
			u8 c;

			if (uio_get(u, &c, 1) != 1) {
				mutex_unlock(&t->lock);
				return done ? done : -EFAULT;
			}
			ldisc_input(t, c);
			done++;
		}
		mutex_unlock(&t->lock);
		if (tty_out_used(t))
			waitq_wake_all(&t->m_readable, POLLIN | POLLRDNORM); /* the echo */
		if (u->resid && u->nowait)
			return done ? done : -EAGAIN;
		if (u->resid)
			r = wait_event(&t->m_writable, in_ready(t), MC_FOREVER);
	}
	return done ? done : r;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = tty_of(f);
	u32 mask = 0;

	poll_wait(pt, f, &t->m_readable);
	poll_wait(pt, f, &t->m_writable);
	if (tty_out_used(t) && !t->stopped)
		mask |= POLLIN | POLLRDNORM;
	if (t->slave_opens && !t->slaves)
		mask |= POLLHUP;
	if (in_ready(t))
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

static void master_release(struct file *f)
{
	struct tty *t = tty_of(f);

	pts_remove(t);
	mutex_lock(&t->lock);
	t->master_open = false;
	mutex_unlock(&t->lock);
	tty_hangup(t);
	waitq_wake_all(&t->readable, POLLHUP);
	waitq_wake_all(&t->writable, POLLHUP);
	tty_put(t);
}

const struct file_ops pty_master_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = tty_ioctl,
	.release = master_release,
};

/* ---- opening ---- */

static int ptmx_open(struct inode *i, struct file *f)
{
	struct tty *t = tty_new();
	int r;

	if (!t)
		return -ENOMEM;
	r = pts_add(t);
	if (r) {
		tty_put(t);
		return r;
	}
	t->master_open = true;
	f->priv = t;
	f->mode |= FMODE_STREAM;
	f->ops = &pty_master_ops;
	return 0;
}

int pty_open_slave(struct tty *t, struct file *f)
{
	if (t->host)
		return dev_tty_open(t, f);
	if (!t->master_open || t->locked)
		return -EIO;
	if (t->exclusive && t->slaves && !capable(CAP_SYS_ADMIN))
		return -EBUSY;
	mutex_lock(&t->lock);
	t->slaves++;
	t->slave_opens++;
	mutex_unlock(&t->lock);
	f->priv = tty_get(t);
	f->mode |= FMODE_STREAM;
	f->ops = &pty_slave_ops;
	return 0;
}

static int pts_open(struct inode *i, struct file *f)
{
	struct tty *t = pts_find((int)(u32)i->rdev);
	int r;

	if (!t)
		return -EIO;
	r = pty_open_slave(t, f);
	if (!r && !(f->flags & O_NOCTTY))
		tty_open_controls(t);
	tty_put(t);
	return r;
}

int pty_open_controlling(struct file *f)
{
	struct tty *t;
	int r;

	mutex_lock(&tasklist_lock);
	t = current->proc->session ? current->proc->session->tty : NULL;
	if (t)
		tty_get(t);
	mutex_unlock(&tasklist_lock);
	if (!t)
		return -ENXIO;
	r = pty_open_slave(t, f);
	tty_put(t);
	return r;
}

static struct chrdev ptmx_dev = {.major = 5, .minor = 2, .count = 1, .open = ptmx_open};
static struct chrdev pts_dev = {.major = PTS_MAJOR, .minor = 0, .count = 4096, .open = pts_open};

void pty_init(void)
{
	chrdev_register(&ptmx_dev);
	chrdev_register(&pts_dev);
}
