/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing. Files of the host go from the descriptor straight to the machine:
 * find the file, mc_io, done. Their position is the host's.
 */
#include <linux/fs.h>
#include <linux/poll.h>

#include "brought.h"
#include "pty.h"
#include "signal.h"
#include "stat_run.h"
#include "syscall.h"
#include "trace_hook.h"
#include "vfs_impl.h"

#define KNOWN_RWF   (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)
#define CURRENT_POS (-1)

/* Inline: a pwrite of a byte takes 4 ns less. */
static inline __attribute__((always_inline)) s64 host_io(struct file *f, const struct mc_iovec *iov, int n, s64 off, int flags,
							  bool nowait)
{
	s64 r;

	if (unlikely(f->mode & FMODE_TTY)) {
		r = tty_check_io(f->priv, flags & MC_WRITE);
		if (r)
			return r;
	}
	if (unlikely(f->mode & FMODE_BROUGHT)) {
		r = n == 1 ? brought_read(f, iov, off) : -EAGAIN;
		if (r >= 0)
			return r;
		if (off == CURRENT_POS)
			brought_settle(f);
	}
	if (nowait || ((f->mode & FMODE_STREAM) && (f->flags & O_NONBLOCK)))
		flags |= MC_NOWAIT;
	if ((f->mode & FMODE_STREAM) && !(flags & MC_NOWAIT))
		trace_may_sleep();
	if (off == CURRENT_POS)
		file_moves(f);
	r = mc_io(f->handle, iov, n, off, flags);
	stat_runs_changed();
	if (likely(r >= 0))
		return r;
	if (r == -EINTR)
		return -ERESTARTSYS;
	if (r == -EPIPE)
		send_signal_task(current, SIGPIPE, NULL);
	return r;
}

/* uio on a host file, for callers who came with one. Kernel buffers have one piece. */
static s64 host_uio(struct file *f, struct uio *u, s64 off, int flags)
{
	struct mc_iovec first = {u->iov->base + u->skip, min(u->iov->len - u->skip, u->resid)};
	s64 r;

	if (u->flags & RWF_APPEND)
		flags |= MC_APPEND;
	if (!u->kernel && !u->skip)
		return host_io(f, u->iov, u->n, off, flags, u->nowait);
	if (!u->kernel)
		return host_io(f, &first, 1, off, flags, u->nowait);
	if (off == CURRENT_POS)
		brought_settle(f);
	if (u->nowait || ((f->mode & FMODE_STREAM) && (f->flags & O_NONBLOCK)))
		flags |= MC_NOWAIT;
	if (off == CURRENT_POS)
		file_moves(f);
	r = mc_io_kernel(f->handle, (void *)first.base, first.len, off, flags);
	stat_runs_changed();
	return r == -EINTR ? -ERESTARTSYS : r;
}

static s64 no_io(struct file *f)
{
	return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
}

static s64 *position(struct file *f, s64 *pos)
{
	return f->mode & FMODE_STREAM ? NULL : pos;
}

/* The host keeps a file's own position; any other is the caller's, and moves like those of guest
 * files. */
static s64 host_at(struct file *f, struct uio *u, s64 *pos, int flags)
{
	bool own = !pos || pos == &f->pos;
	s64 r = host_uio(f, u, own ? -1 : *pos, flags);

	if (r > 0) {
		u->resid -= r;
		if (!own)
			*pos += r;
	}
	return r;
}

s64 vfs_read(struct file *f, struct uio *u, s64 *pos)
{
	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (f->mode & FMODE_HOST)
		return host_at(f, u, pos, 0);
	return f->ops->read ? f->ops->read(f, u, position(f, pos)) : no_io(f);
}

s64 vfs_write(struct file *f, struct uio *u, s64 *pos)
{
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (f->mode & FMODE_HOST)
		return host_at(f, u, pos, MC_WRITE);
	return f->ops->write ? f->ops->write(f, u, position(f, pos)) : no_io(f);
}

/* ---- RLIMIT_FSIZE. Only regular files have it. ---- */

static bool limited(struct file *f)
{
	return unlikely(READ_ONCE(current->proc->rlim[RLIMIT_FSIZE].rlim_cur) != RLIM_INFINITY) &&
	       f->inode && S_ISREG(f->inode->mode);
}

static u64 size_of(struct file *f)
{
	struct statx st;

	return vfs_fstat(f, &st) ? 0 : st.stx_size;
}

s64 vfs_write_room(struct file *f, s64 at, u64 n, bool append)
{
	u64 limit;

	if (!n || !limited(f))
		return (s64)n;
	limit = rlimit(RLIMIT_FSIZE);
	if (append || (f->flags & O_APPEND))
		at = (s64)size_of(f);
	else if (at == CURRENT_POS)
		at = f->mode & FMODE_HOST ? host_position(f) : f->pos;
	if ((u64)at < limit)
		return (s64)min(n, limit - at);
	send_signal_task(current, SIGXFSZ, NULL);
	return -EFBIG;
}

int vfs_may_grow(u64 size, u64 len)
{
	if (len <= size || len <= rlimit(RLIMIT_FSIZE))
		return 0;
	send_signal_task(current, SIGXFSZ, NULL);
	return -EFBIG;
}

int vfs_may_resize(struct file *f, u64 len)
{
	return limited(f) ? vfs_may_grow(size_of(f), len) : 0;
}

/* At the file's own position, or at `at`. */
static s64 rw_file(struct file *f, struct uio *u, s64 at, bool writes)
{
	s64 (*move)(struct file *, struct uio *, s64 *) = writes ? vfs_write : vfs_read;

	if (f->flags & O_NONBLOCK)
		u->nowait = true;
	if (at != CURRENT_POS)
		return move(f, u, &at);
	if (f->mode & (FMODE_STREAM | FMODE_HOST))
		return move(f, u, NULL);
	guard(&f->lock);
	return move(f, u, &f->pos);
}

static s64 rw_one(int fd, uaddr_t base, u64 len, s64 at, bool writes)
{
	struct fdref ref __fdref = fd_borrow(fd);
	struct mc_iovec iov = {base, min(len, (u64)MAX_RW_COUNT)};
	struct file *f = ref.f;
	struct uio u;
	s64 room;

	if (unlikely(!f || !(f->mode & (writes ? FMODE_WRITE : FMODE_READ))))
		return -EBADF;
	if (unlikely(at != CURRENT_POS && (f->mode & FMODE_STREAM)))
		return -ESPIPE;
	if (writes) {
		room = vfs_write_room(f, at, iov.len, false);
		if (room < 0)
			return room;
		iov.len = (u64)room;
	}
	if (likely(f->mode & FMODE_HOST))
		return host_io(f, &iov, 1, at, writes ? MC_WRITE : 0, false);
	u = (struct uio){.iov = &iov, .n = 1, .resid = iov.len};
	return rw_file(f, &u, at, writes);
}

long sys_read(u64 fd, u64 buf, u64 len)
{
	return rw_one((int)fd, buf, len, CURRENT_POS, false);
}

long sys_write(u64 fd, u64 buf, u64 len)
{
	return rw_one((int)fd, buf, len, CURRENT_POS, true);
}

long sys_pread64(u64 fd, u64 buf, u64 len, u64 pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_one((int)fd, buf, len, pos, false);
}

long sys_pwrite64(u64 fd, u64 buf, u64 len, u64 pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_one((int)fd, buf, len, pos, true);
}

/* ---- vectors ---- */

#define IOV_LIMIT 1024
#define FAST_IOV  8

/* Checks lengths and cuts the sum at MAX_RW_COUNT. The sum or -errno. */
static s64 import_iovec(struct mc_iovec *iov, uaddr_t from, int n)
{
	u64 sum = 0;

	if (mc_copy_from_user(iov, from, n * sizeof(*iov)))
		return -EFAULT;
	for (int i = 0; i < n; i++) {
		if ((s64)iov[i].len < 0)
			return -EINVAL;
		iov[i].len = min(iov[i].len, (u64)(MAX_RW_COUNT - sum));
		sum += iov[i].len;
	}
	return sum;
}

s64 vfs_rw(struct file *f, struct mc_iovec *iov, int n, s64 at, int flags, bool writes)
{
	struct uio u = {.iov = iov, .n = n, .flags = flags, .nowait = flags & RWF_NOWAIT};

	if (flags & ~KNOWN_RWF)
		return -EOPNOTSUPP;
	if (!(f->mode & (writes ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (at != CURRENT_POS && (f->mode & FMODE_STREAM))
		return -ESPIPE;
	for (int i = 0; i < n; i++)
		u.resid += iov[i].len;
	if (!n || !u.resid)
		return 0;
	if (writes) {
		s64 left = vfs_write_room(f, at, u.resid, flags & RWF_APPEND);

		if (left < 0)
			return left;
		u.resid = (u64)left;
		for (int i = 0; i < n; i++) {
			iov[i].len = min(iov[i].len, (u64)left);
			left -= (s64)iov[i].len;
		}
	}
	while (!u.iov->len) {
		u.iov++;
		u.n--;
	}
	return rw_file(f, &u, at, writes);
}

s64 vfs_rw_vector(struct file *f, uaddr_t uiov, u64 count, s64 at, int flags, bool writes)
{
	struct mc_iovec fast[FAST_IOV], *iov = fast;
	s64 r;

	if (count > IOV_LIMIT)
		return -EINVAL;
	if (count > FAST_IOV)
		iov = kmalloc(count * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	r = import_iovec(iov, uiov, count);
	if (r >= 0)
		r = vfs_rw(f, iov, count, at, flags, writes);
	if (iov != fast)
		kfree(iov);
	return r;
}

static s64 rw_vector(int fd, uaddr_t uiov, u64 count, s64 at, int flags, bool writes)
{
	struct file *f __file = fd_get_io(fd);

	return f ? vfs_rw_vector(f, uiov, count, at, flags, writes) : -EBADF;
}

long sys_readv(u64 fd, u64 iov, u64 n)
{
	return rw_vector((int)fd, iov, n, CURRENT_POS, 0, false);
}

long sys_writev(u64 fd, u64 iov, u64 n)
{
	return rw_vector((int)fd, iov, n, CURRENT_POS, 0, true);
}

long sys_preadv(u64 fd, u64 iov, u64 n, u64 pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_vector((int)fd, iov, n, pos, 0, false);
}

long sys_pwritev(u64 fd, u64 iov, u64 n, u64 pos)
{
	return (s64)pos < 0 ? -EINVAL : rw_vector((int)fd, iov, n, pos, 0, true);
}

static s64 rw_vector2(u64 fd, u64 iov, u64 n, s64 pos, int flags, bool writes)
{
	if (pos < CURRENT_POS)
		return -EINVAL;
	if (flags & ~KNOWN_RWF)
		return -EOPNOTSUPP;
	return rw_vector((int)fd, iov, n, pos, flags, writes);
}

/* The fifth argument is the upper half of the position on 32-bit machines. */
long sys_preadv2(u64 fd, u64 iov, u64 n, u64 pos, u64 high, u64 flags)
{
	return rw_vector2(fd, iov, n, pos, (int)flags, false);
}

long sys_pwritev2(u64 fd, u64 iov, u64 n, u64 pos, u64 high, u64 flags)
{
	return rw_vector2(fd, iov, n, pos, (int)flags, true);
}

/* ---- for the kernel ---- */

u32 vfs_poll(struct file *f, struct poll_table *pt)
{
	return f->ops->poll ? f->ops->poll(f, pt) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

s64 vfs_read_kernel(struct file *f, void *buf, size_t len, s64 off)
{
	struct mc_iovec iov;
	struct uio u;

	uio_kernel(&u, &iov, buf, len);
	return vfs_read(f, &u, &off);
}

s64 vfs_read_mapped(struct file *f, void *buf, size_t len, s64 off)
{
	s64 r;

	if (!(f->mode & FMODE_HOST) || (f->mode & FMODE_STREAM))
		return vfs_read_kernel(f, buf, len, off);
	r = mc_io_kernel(f->handle, buf, len, off, MC_AS_MAPPED);
	stat_runs_changed();
	return r;
}

s64 vfs_write_kernel(struct file *f, const void *buf, size_t len, s64 off)
{
	struct mc_iovec iov;
	struct uio u;

	uio_kernel(&u, &iov, (void *)buf, len);
	return vfs_write(f, &u, &off);
}
