/* SPDX-License-Identifier: Apache-2.0 */
/* ioctl on either end of a pseudo-terminal. */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/poll.h>

#include "cred.h"
#include "pty.h"
#include "task.h"
#include "vfs_impl.h"

static s64 give(uaddr_t to, const void *p, size_t n)
{
	return mc_copy_to_user(to, p, n) ? -EFAULT : 0;
}

static s64 give_int(uaddr_t to, int v)
{
	return give(to, &v, sizeof(v));
}

/* Output that the master has not taken yet: wait, as TCSETSW and TCSBRK ask. */
static long drain(struct tty *t)
{
	return wait_event(&t->writable, !tty_out_used(t) || !t->master_open, MC_FOREVER);
}

static s64 set_termios(struct tty *t, u64 arg, size_t size, bool wait, bool flush)
{
	struct termios2 new;
	u32 old;
	long r = wait ? drain(t) : 0;

	if (r)
		return r;
	mutex_lock(&t->lock);
	new = t->t; /* struct termios is the beginning of struct termios2 */
	mutex_unlock(&t->lock);
	if (mc_copy_from_user(&new, arg, size))
		return -EFAULT;
	guard(&t->lock);
	if (flush)
		ldisc_flush_in(t);
	old = t->t.c_lflag;
	t->t = new;
	ldisc_changed(t, old);
	if (!(t->t.c_iflag & IXON) && t->stopped) {
		t->stopped = false;
		waitq_wake_all(&t->m_readable, POLLIN);
	}
	return 0;
}

static s64 set_size(struct tty *t, u64 arg)
{
	struct winsize size;
	bool same;

	if (mc_copy_from_user(&size, arg, sizeof(size)))
		return -EFAULT;
	guard(&t->lock);
	same = !memcmp(&size, &t->size, sizeof(size));
	t->size = size;
	if (!same)
		tty_signal(t, SIGWINCH);
	return 0;
}

static s64 flush(struct tty *t, u64 which, bool master)
{
	guard(&t->lock);
	if (which > TCIOFLUSH)
		return -EINVAL;
	if (which == TCIOFLUSH || (which == TCIFLUSH) != master)
		ldisc_flush_in(t);
	if (which == TCIOFLUSH || (which == TCOFLUSH) != master)
		ldisc_flush_out(t);
	return 0;
}

static s64 flow(struct tty *t, u64 how)
{
	guard(&t->lock);
	if (how > TCION)
		return -EINVAL;
	if (how == TCOOFF)
		t->stopped = true;
	if (how == TCOON) {
		t->stopped = false;
		waitq_wake_all(&t->m_readable, POLLIN);
	}
	return 0;
}

/* Settings: the same from both ends. -ENOTTY: not one of these. */
static s64 settings(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS:
		return give(arg, &t->t, sizeof(struct termios));
	case TCGETS2:
		return give(arg, &t->t, sizeof(struct termios2));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(t, arg, sizeof(struct termios), cmd != TCSETS, cmd == TCSETSF);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_termios(t, arg, sizeof(struct termios2), cmd != TCSETS2,
				   cmd == TCSETSF2);
	case TIOCGWINSZ:
		return give(arg, &t->size, sizeof(t->size));
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return arg ? drain(t) : 0;
	default:
		return -ENOTTY;
	}
}

/* Opens the other end without its name (which another mount namespace may not have). */
static s64 open_peer(struct tty *t, u32 flags)
{
	struct file *f = file_new(NULL, flags & ~OPEN_ONLY_FLAGS, 0);
	int r;

	if (!f)
		return -ENOMEM;
	f->mode = (flags & O_ACCMODE) == O_WRONLY ? FMODE_WRITE : FMODE_READ;
	if ((flags & O_ACCMODE) == O_RDWR)
		f->mode |= FMODE_WRITE;
	r = pty_open_slave(t, f);
	if (r) {
		f->ops = NULL;
		file_put(f);
		return r;
	}
	f->inode = inode_get(t->inode);
	file_set_mount(f, t->inode->mnt);
	f->name = kasprintf("/%d", t->index);
	return fd_install(f, flags & O_CLOEXEC);
}

static s64 master_ioctl(struct tty *t, u32 cmd, u64 arg)
{
	int v;

	switch (cmd) {
	case TIOCGPTN:
		return give_int(arg, t->index);
	case TIOCSPTLCK:
		if (mc_copy_from_user(&v, arg, sizeof(v)))
			return -EFAULT;
		t->locked = v;
		return 0;
	case TIOCGPTLCK:
		return give_int(arg, t->locked);
	case TIOCGPTPEER:
		return open_peer(t, arg);
	case FIONREAD:
		return give_int(arg, tty_out_used(t));
	case TIOCOUTQ:
		return give_int(arg, tty_in_used(t));
	case TIOCSIG:
		if (arg < 1 || arg > 64)
			return -EINVAL;
		tty_signal(t, (int)arg);
		return 0;
	default:
		return -ENOTTY;
	}
}

static s64 slave_ioctl(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case FIONREAD:
		return give_int(
			arg, (int)((t->t.c_lflag & ICANON ? t->canon : t->in_tail) - t->in_head));
	case TIOCOUTQ:
		return give_int(arg, tty_out_used(t));
	case TIOCEXCL:
		t->exclusive = true;
		return 0;
	case TIOCNXCL:
		t->exclusive = false;
		return 0;
	case TIOCGEXCL:
		return give_int(arg, t->exclusive);
	case TIOCSTI:
		return -EIO;
	default:
		return -ENOTTY;
	}
}

bool tty_changes(u32 cmd)
{
	switch (cmd) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
	case TCXONC:
	case TCFLSH:
	case TCSBRK:
	case TCSBRKP:
		return true;
	default:
		return false;
	}
}

s64 tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty *t = tty_of(f);
	bool master = f->ops == &pty_master_ops;
	s64 r;

	if (!master && !t->master_open)
		return -EIO;
	r = !master && tty_changes(cmd) ? tty_check_background(t, SIGTTOU) : 0;
	if (r)
		return r;
	if (cmd == TCFLSH)
		return flush(t, arg, master);
	r = settings(t, cmd, arg);
	if (r == -ENOTTY)
		r = master ? master_ioctl(t, cmd, arg) : slave_ioctl(t, cmd, arg);
	return r == -ENOTTY ? tty_job_ioctl(t, cmd, arg) : r;
}
