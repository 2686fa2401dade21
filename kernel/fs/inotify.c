/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify on the host's files is the host's inotify: it sees what this guest does and what others
 * do. Guest file systems cannot be watched.
 */
#include <linux/inotify.h>
#include <linux/poll.h>

#include "epoll.h"
#include "memfile.h"
#include "hostfs.h"
#include "syscall.h"
#include "vfs_impl.h"

#include <asm/ioctls.h>

#define INIT_FLAGS ((u32)(IN_CLOEXEC | IN_NONBLOCK))
#define KNOWN_MASK                                                                                 \
	(IN_ALL_EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD |              \
	 IN_MASK_CREATE | IN_ONESHOT | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ISDIR)

/* The host's instance never blocks: waiting is for readiness. */
static s64 inotify_read(struct file *f, struct uio *u, s64 *pos)
{
	for (;;) {
		struct pollfd p = {.fd = (int)f->handle, .events = POLLIN};
		s64 r = uio_handle(u, f->handle, -1, MC_NOWAIT);

		if (r != -EAGAIN || u->nowait)
			return r;
		if (mc_poll(&p, 1, MC_FOREVER) == -EINTR)
			return -ERESTARTSYS;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	return handle_poll(f->handle, POLLIN | POLLRDNORM);
}

static s64 inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return cmd == FIONREAD ? hostfs_ioctl(f, cmd, arg) : -ENOTTY;
}

static void inotify_release(struct file *f)
{
	mc_handle_release(f->handle);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

static struct file *inotify_new(u32 flags)
{
	u32 handle = host_handle_get();
	struct file *f;
	s64 r;

	if (!handle)
		return ERR_PTR(-EMFILE);
	r = host_handle_call(PV_INOTIFY, handle, 0, 0, 0);
	if (r < 0) {
		host_handle_unused(handle);
		return ERR_PTR(r);
	}
	f = anon_file("inotify", &inotify_ops, O_RDONLY | (flags & O_NONBLOCK),
		      FMODE_READ | FMODE_STREAM | FMODE_HOSTPOLL, 0600, NULL);
	if (!f) {
		mc_handle_release(handle);
		return ERR_PTR(-ENOMEM);
	}
	f->handle = handle;
	return f;
}

long sys_inotify_init1(u64 uflags)
{
	u32 flags = uflags;
	struct file *f;

	if (flags & ~INIT_FLAGS)
		return -EINVAL;
	f = inotify_new(flags);
	return IS_ERR(f) ? PTR_ERR(f) : fd_install(f, flags & IN_CLOEXEC);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

struct add_args {
	u32 handle, mask;
};

static s64 host_add(struct name *n, void *arg)
{
	struct add_args *a = arg;

	return host_simple(n, PV_INOTIFY_ADD, 0, a->mask, a->handle);
}

static s64 guest_add(struct name *n, void *arg)
{
	return -EOPNOTSUPP;
}

long sys_inotify_add_watch(u64 fd, u64 upath, u64 mask)
{
	struct file *f __file = fd_get_io((int)fd);
	char *path __name = getname(upath);
	struct add_args a = {.mask = mask};
	struct name n;

	if (!f)
		return -EBADF;
	if (IS_ERR(path))
		return PTR_ERR(path);
	if (f->ops != &inotify_ops || !(a.mask & IN_ALL_EVENTS) || (a.mask & ~(u32)KNOWN_MASK))
		return -EINVAL;
	if ((a.mask & IN_MASK_ADD) && (a.mask & IN_MASK_CREATE))
		return -EINVAL;
	a.handle = f->handle;
	name_at(&n, AT_FDCWD, path, a.mask & IN_DONT_FOLLOW ? NAME_NOFOLLOW : 0);
	return name_run(&n, host_add, guest_add, &a);
}

long sys_inotify_rm_watch(u64 fd, u64 wd)
{
	struct file *f __file = fd_get_io((int)fd);

	if (!f)
		return -EBADF;
	if (f->ops != &inotify_ops)
		return -EINVAL;
	return host_handle_call(PV_INOTIFY_RM, f->handle, 0, (u64)(s64)(int)wd, 0);
}
