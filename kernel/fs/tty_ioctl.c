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

static void keep_fixed(const struct tty *t, struct termios2 *new)
{
	const struct termios *fixed = &t->fixed;

#define KEEP(field) (new->field = (t->t.field & fixed->field) | (new->field & ~fixed->field))
	KEEP(c_iflag);
	KEEP(c_oflag);
	KEEP(c_cflag);
	KEEP(c_lflag);
#undef KEEP
	if (fixed->c_line)
		new->c_line = t->t.c_line;
	for (int i = 0; i < NCCS; i++)
		if (fixed->c_cc[i])
			new->c_cc[i] = t->t.c_cc[i];
}

/* The form of System V: the low halves of the flags, and fewer characters. */
static s64 give_termio(struct tty *t, u64 arg)
{
	struct termio old = { .c_iflag = (u16)t->t.c_iflag, .c_oflag = (u16)t->t.c_oflag,
			      .c_cflag = (u16)t->t.c_cflag, .c_lflag = (u16)t->t.c_lflag,
			      .c_line = t->t.c_line };

	memcpy(old.c_cc, t->t.c_cc, NCC);
	return give(arg, &old, sizeof(old));
}

static int take_termio(struct termios2 *new, u64 arg)
{
	struct termio from;

	if (mc_copy_from_user(&from, arg, sizeof(from)))
		return -EFAULT;
	new->c_iflag = (new->c_iflag & 0xffff0000) | from.c_iflag;
	new->c_oflag = (new->c_oflag & 0xffff0000) | from.c_oflag;
	new->c_cflag = (new->c_cflag & 0xffff0000) | from.c_cflag;
	new->c_lflag = (new->c_lflag & 0xffff0000) | from.c_lflag;
	new->c_line = from.c_line;
	memcpy(new->c_cc, from.c_cc, NCC);
	return 0;
}

/*
 * size 0: a struct termio. What was written is with the master at once: the forms that wait for output have
 * nothing to wait for, as on Linux.
 */
static s64 set_termios(struct tty *t, u64 arg, size_t size, bool flush)
{
	struct termios2 new;
	u32 old;

	mutex_lock(&t->lock);
	new = t->t; /* struct termios is the beginning of struct termios2 */
	mutex_unlock(&t->lock);
	if (size ? mc_copy_from_user(&new, arg, size) : take_termio(&new, arg))
		return -EFAULT;
	guard(&t->lock);
	keep_fixed(t, &new);
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

static s64 set_fixed(struct tty *t, u64 arg)
{
	struct termios fixed;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (mc_copy_from_user(&fixed, arg, sizeof(fixed)))
		return -EFAULT;
	guard(&t->lock);
	t->fixed = fixed;
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
		return set_termios(t, arg, sizeof(struct termios), cmd == TCSETSF);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_termios(t, arg, sizeof(struct termios2), cmd == TCSETSF2);
	case TCGETA:
		return give_termio(t, arg);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set_termios(t, arg, 0, cmd == TCSETAF);
	case TIOCGLCKTRMIOS:
		return give(arg, &t->fixed, sizeof(t->fixed));
	case TIOCSLCKTRMIOS:
		return set_fixed(t, arg);
	case TIOCGWINSZ:
		return give(arg, &t->size, sizeof(t->size));
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return 0;
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
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
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
