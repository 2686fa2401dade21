/* SPDX-License-Identifier: Apache-2.0 */
/* dup and fcntl. */
#include "brought.h"
#include "epoll.h"
#include "leases.h"
#include "locks.h"
#include "memfile.h"
#include "pid_ns.h"
#include "pipe.h"
#include "syscall.h"
#include "vfs_impl.h"

long sys_dup(u64 fd)
{
	struct file *f = fd_get((int)fd);

	return f ? fd_install(f, false) : -EBADF;
}

static long dup_to(int fd, int to, bool cloexec)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	if ((u32)to >= rlimit(RLIMIT_NOFILE)) {
		file_put(f);
		return -EBADF;
	}
	return fd_install_at(to, f, cloexec, true);
}

long sys_dup2(u64 fd, u64 to)
{
	struct fdref ref __fdref = fd_borrow((int)fd);

	if (!ref.f)
		return -EBADF;
	return (int)fd == (int)to ? (int)to : dup_to((int)fd, (int)to, false);
}

long sys_dup3(u64 fd, u64 to, u64 flags)
{
	if (((u32)flags & ~(u32)O_CLOEXEC) || (int)fd == (int)to)
		return -EINVAL;
	return dup_to((int)fd, (int)to, (u32)flags & O_CLOEXEC);
}

/* ---- fcntl ---- */

#define F_DUPFD_QUERY 1027
#define SETTABLE      ((u32)(O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC))

static long dup_from(struct file *f, u64 from, bool cloexec)
{
	if (from >= rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	return fd_install_at((int)from, file_get(f), cloexec, false);
}

static long set_flags(struct file *f, int fd, u32 flags)
{
	int r;

	if ((f->flags & O_APPEND) != (flags & O_APPEND) && (file_mount_flags(f) & MS_RDONLY))
		return -EPERM;
	if (f->ops->setfl) {
		r = f->ops->setfl(f, flags);
		if (r)
			return r;
	}
	{
		guard(&f->lock);
		f->flags = (f->flags & ~SETTABLE) | (flags & SETTABLE);
	}
	return fasync_update(f, fd);
}

static long owner(struct file *f, int fd, u32 cmd, u64 arg)
{
	struct f_owner_ex ex = {F_OWNER_PID, pid_shown(f->owner)};

	switch (cmd) {
	case F_GETOWN:
		return f->owner < 0 ? -pid_shown(-f->owner) : ex.pid;
	case F_SETOWN:
		f->owner = (int)arg < 0 ? -pid_unshown(-(int)arg) : pid_unshown((int)arg);
		return fasync_update(f, fd);
	case F_GETOWN_EX:
		if (f->owner < 0)
			ex = (struct f_owner_ex){F_OWNER_PGRP, pid_shown(-f->owner)};
		return mc_copy_to_user(arg, &ex, sizeof(ex)) ? -EFAULT : 0;
	default:
		if (mc_copy_from_user(&ex, arg, sizeof(ex)))
			return -EFAULT;
		if (ex.type < 0 || ex.type > F_OWNER_PGRP)
			return -EINVAL;
		ex.pid = pid_unshown(ex.pid);
		f->owner = ex.type == F_OWNER_PGRP ? -ex.pid : ex.pid;
		return fasync_update(f, fd);
	}
}

static long query_same(struct file *f, int other)
{
	struct fdref ref __fdref = fd_borrow(other);

	return ref.f ? ref.f == f : -EBADF;
}

/* What O_PATH files can do, too. */
static long fcntl_any(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
		return dup_from(f, (u32)arg, false);
	case F_DUPFD_CLOEXEC:
		return dup_from(f, (u32)arg, true);
	case F_DUPFD_QUERY:
		return query_same(f, (int)arg);
	case F_GETFD:
		return fd_get_cloexec(fd);
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	default:
		return -EBADF;
	}
}

static long fcntl_io(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, fd, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_fcntl(f, cmd, arg);
	case F_GETOWN:
	case F_SETOWN:
	case F_GETOWN_EX:
	case F_SETOWN_EX:
		return owner(f, fd, cmd, arg);
	case F_GETSIG:
		return f->sig;
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->sig = arg;
		return 0;
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, (u32)arg);
	case F_ADD_SEALS:
		return memfd_seals(f, true, arg);
	case F_GET_SEALS:
		return memfd_seals(f, false, 0);
	case F_GETLEASE:
		return lease_get(f);
	case F_SETLEASE:
		return lease_set(f, fd, (int)arg);
	case F_NOTIFY:
		return dnotify_set(f, fd, (u32)arg);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(u64 ufd, u64 ucmd, u64 arg)
{
	struct file *f __file = fd_get((int)ufd);
	u32 cmd = ucmd;
	long r;

	if (!f)
		return -EBADF;
	r = fcntl_any(f, (int)ufd, cmd, arg);
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		brought_pass_fd();
	if (r != -EBADF || (f->mode & FMODE_PATH) || cmd == F_DUPFD_QUERY)
		return r;
	return fcntl_io(f, (int)ufd, cmd, arg);
}
