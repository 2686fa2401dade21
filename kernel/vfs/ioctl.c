/* SPDX-License-Identifier: Apache-2.0 */
/* ioctl: what every file knows, then the file's own. */
#include <asm/ioctls.h>

#include "brought.h"
#include "epoll.h"
#include "syscall.h"
#include "vfs_impl.h"

static long set_flag(struct file *f, int fd, u32 flag, u64 arg)
{
	u32 flags;
	int on, r;

	if (mc_copy_from_user(&on, arg, sizeof(on)))
		return -EFAULT;
	flags = on ? f->flags | flag : f->flags & ~flag;
	r = f->ops->setfl ? f->ops->setfl(f, flags) : 0;
	if (r)
		return r;
	{
		guard(&f->lock);
		f->flags = on ? f->flags | flag : f->flags & ~flag;
	}
	return flag == FASYNC ? fasync_update(f, fd) : 0;
}

/* Bytes up to the end of a regular file. */
static long bytes_left(struct file *f, u64 arg)
{
	struct statx st;
	s64 pos = f->mode & FMODE_HOST ? host_position(f) : f->pos;
	int left, r = vfs_fstat(f, &st);

	if (r)
		return r;
	left = (s64)st.stx_size > pos ? (int)(st.stx_size - pos) : 0;
	return mc_copy_to_user(arg, &left, sizeof(left)) ? -EFAULT : 0;
}

long sys_ioctl(u64 fd, u64 ucmd, u64 arg)
{
	struct file *f __file = fd_get_io((int)fd);
	u32 cmd = ucmd;
	long r;

	if (!f)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec((int)fd, true);
	case FIONCLEX:
		return fd_set_cloexec((int)fd, false);
	case FIONBIO:
		return set_flag(f, (int)fd, O_NONBLOCK, arg);
	case FIOASYNC:
		return set_flag(f, (int)fd, FASYNC, arg);
	case FIONREAD:
		if (f->inode && S_ISREG(f->inode->mode))
			return bytes_left(f, arg);
		break;
	}
	r = f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
	if (r == -ENOTTY && (f->mode & FMODE_BROUGHT))
		brought_pass(); /* is it a terminal? */
	return r;
}
