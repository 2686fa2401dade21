/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify. On the host's files it is the host's inotify: it sees what this guest does and what
 * others do. Guest file systems report to fsnotify.c. One file has the events of both, the guest's
 * first.
 */
#include <linux/poll.h>

#include "epoll.h"
#include "fsnotify.h"
#include "hostfs.h"
#include "kept.h"
#include "memfile.h"
#include "syscall.h"
#include "vfs_impl.h"

#include <asm/ioctls.h>

#define INIT_FLAGS ((u32)(IN_CLOEXEC | IN_NONBLOCK))
#define KNOWN_MASK                                                                                 \
	(IN_ALL_EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD |              \
	 IN_MASK_CREATE | IN_ONESHOT | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ISDIR)

static s64 take(struct file *f, struct uio *u)
{
	s64 r = inotify_take(f->priv, u);

	return r ? r : uio_handle(u, f->handle, -1, MC_NOWAIT);
}

/* The host's instance never blocks: waiting is for readiness, of the handle or of the queue. */
static s64 inotify_read(struct file *f, struct uio *u, s64 *pos)
{
	struct inotify *n = f->priv;
	struct waiter w = {.node = LIST_HEAD_INIT(w.node)};
	s64 r = take(f, u);

	if (r != -EAGAIN || u->nowait)
		return r;
	waitq_add(&n->wait, &w);
	while ((r = take(f, u)) == -EAGAIN) {
		struct pollfd p = {.fd = (int)f->handle, .events = POLLIN};

		if (mc_poll(&p, 1, MC_FOREVER) == -EINTR) {
			r = -ERESTARTSYS;
			break;
		}
	}
	waitq_del(&n->wait, &w);
	return r;
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *n = f->priv;

	poll_wait(pt, f, &n->wait);
	if (__atomic_load_n(&n->queued, __ATOMIC_ACQUIRE))
		return POLLIN | POLLRDNORM;
	return handle_poll(f->handle, POLLIN | POLLRDNORM);
}

static s64 inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	u32 guest = inotify_queued_bytes(f->priv);
	int sum;

	if (cmd != FIONREAD)
		return -ENOTTY;
	if (hostfs_ioctl(f, cmd, arg) < 0 || mc_copy_from_user(&sum, arg, sizeof(sum)))
		return -EFAULT;
	sum += guest;
	return mc_copy_to_user(arg, &sum, sizeof(sum)) ? -EFAULT : 0;
}

static void inotify_release(struct file *f)
{
	inotify_destroy(f->priv);
	kfree(f->priv);
	mc_handle_release(f->handle);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

static u32 host_instance(void)
{
	u32 handle = host_handle_get();

	kept_stop();
	if (handle && host_handle_call(PV_INOTIFY, handle, 0, 0, 0) < 0) {
		host_handle_unused(handle);
		return 0;
	}
	return handle;
}

static struct file *inotify_new(u32 flags)
{
	struct inotify *n = kzalloc(sizeof(*n));
	u32 handle = n ? host_instance() : 0;
	struct file *f = NULL;

	if (handle)
		f = anon_file("inotify", &inotify_ops, O_RDONLY | (flags & O_NONBLOCK),
			      FMODE_READ | FMODE_STREAM | FMODE_WATCH, 0600, n);
	if (!f) {
		if (handle)
			mc_handle_release(handle);
		kfree(n);
		return ERR_PTR(handle ? -ENOMEM : -EMFILE);
	}
	inotify_setup(n);
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
	struct file *file;
	u32 handle, mask;
};

static s64 host_add(struct name *n, void *arg)
{
	struct add_args *a = arg;

	return host_simple(n, PV_INOTIFY_ADD, 0, a->mask, a->handle);
}

static s64 guest_add(struct name *n, void *arg)
{
	struct add_args *a = arg;
	int r = inode_permission(n->inode, MAY_READ);

	if (r)
		return r;
	if ((a->mask & IN_ONLYDIR) && !S_ISDIR(n->inode->mode))
		return -ENOTDIR;
	return inotify_watch(a->file->priv, n->inode, a->mask);
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
	a.file = f;
	a.handle = f->handle;
	name_at(&n, AT_FDCWD, path, a.mask & IN_DONT_FOLLOW ? NAME_NOFOLLOW : 0);
	return name_run(&n, host_add, guest_add, &a);
}

static long unwatch(struct file *f, int wd)
{
	if (inotify_is_guest_wd(wd))
		return inotify_unwatch(f->priv, wd);
	return host_handle_call(PV_INOTIFY_RM, f->handle, 0, (u64)(s64)wd, 0);
}

long sys_inotify_rm_watch(u64 fd, u64 wd)
{
	struct file *f __file = fd_get_io((int)fd);

	if (!f)
		return -EBADF;
	if (f->ops != &inotify_ops)
		return -EINVAL;
	return unwatch(f, (int)wd);
}

/* ---- for the kernel itself ---- */

struct file *inotify_kernel(void)
{
	struct file *f = inotify_new(O_NONBLOCK);

	return IS_ERR(f) ? NULL : f;
}

int inotify_add_file(struct file *in, struct file *f, u32 mask)
{
	struct add_args a = {.file = in, .handle = in->handle, .mask = mask};
	struct name n;

	name_file(&n, f);
	return (int)name_run(&n, host_add, guest_add, &a);
}

void inotify_remove(struct file *in, int wd)
{
	unwatch(in, wd);
}
