/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splice, tee, vmsplice: by copies through kernel memory. What the other side does not take
 * stays in the pipe: bytes are looked at first and consumed when they are written. (Two readers
 * of one pipe of which one splices may see the same bytes; nobody promises them an order.)
 */
#include "pipe.h"
#include "syscall.h"
#include "task.h"

#define SPLICE_F_MOVE 1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE 4u
#define SPLICE_F_GIFT 8u
#define SPLICE_F_ALL (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)
#define BOUNCE 65536u

struct splice {
	struct file *in, *out;
	s64 *in_pos, *out_pos; /* NULL: the file's own position */
	u8 *buf;
	size_t len;
	bool nowait;
};

/*
 * One transfer between kernel memory and a file, at *pos, which advances, or (NULL) at the
 * file's own position. Of host files that is the host's; the lock is for the others.
 */
static s64 transfer(struct file *f, void *buf, size_t n, s64 *pos, bool nowait, bool writes)
{
	s64 (*move)(struct file *, struct uio *, s64 *) = writes ? vfs_write : vfs_read;
	struct mc_iovec iov;
	struct uio u;
	s64 at, done, room = writes ? vfs_write_room(f, pos ? *pos : -1, n, false) : (s64)n;

	if (room < 0)
		return room;
	uio_kernel(&u, &iov, buf, (size_t)room);
	u.nowait = (f->mode & FMODE_STREAM) && (nowait || (f->flags & O_NONBLOCK));
	if (pos) {
		at = *pos;
		done = move(f, &u, &at);
		*pos += max(done, (s64)0);
		return done;
	}
	if (f->mode & (FMODE_STREAM | FMODE_HOST))
		return move(f, &u, NULL);
	guard(&f->lock);
	return move(f, &u, &f->pos);
}

static s64 write_all(struct file *f, void *buf, size_t n, s64 *pos, bool nowait)
{
	return transfer(f, buf, n, pos, nowait, true);
}

static s64 read_some(struct file *f, void *buf, size_t n, s64 *pos, bool nowait)
{
	return transfer(f, buf, n, pos, nowait, false);
}

static s64 from_pipe(struct splice *s)
{
	struct pipe *p = pipe_of_file(s->in);
	s64 sum = 0, done;
	long err;

	while ((size_t)sum < s->len) {
		size_t n = pipe_peek(p, s->buf, 0, min(s->len - sum, (size_t)BOUNCE));

		if (!n) {
			if (sum || !pipe_has_writers(p))
				return sum;
			err = pipe_wait_data(p, s->nowait || (s->in->flags & O_NONBLOCK));
			if (err)
				return err;
			if (pipe_empty(p) && !pipe_has_writers(p))
				return 0;
			continue;
		}
		done = write_all(s->out, s->buf, n, s->out_pos, s->nowait);
		if (done <= 0)
			return sum ? sum : done;
		pipe_consume(p, done);
		sum += done;
		if ((size_t)done < n)
			break;
	}
	return sum;
}

static s64 to_pipe(struct splice *s)
{
	struct pipe *p = pipe_of_file(s->out);
	s64 n, done;
	long err = pipe_wait_room(p, s->nowait || (s->out->flags & O_NONBLOCK));
	size_t want = min(s->len, (size_t)BOUNCE);

	if (err)
		return err;
	if (pipe_has_readers(p))
		want = min(want, pipe_room(p));
	n = read_some(s->in, s->buf, want, s->in_pos, s->nowait);
	if (n <= 0)
		return n;
	/*
	 * The bytes are out of `in`: they must get into the pipe, even if another writer took
	 * the room.
	 */
	done = write_all(s->out, s->buf, n, NULL, false);
	return done < 0 ? done : n;
}

static s64 splice_with_buffer(struct splice *s)
{
	s64 ret;

	s->buf = kmalloc(BOUNCE);
	if (!s->buf)
		return -ENOMEM;
	ret = pipe_of_file(s->in) ? from_pipe(s) : to_pipe(s);
	kfree(s->buf);
	return ret;
}

/* The offset argument of one side: allowed only for files that have a position. */
static long side(struct file *f, uaddr_t uoff, s64 *off, s64 **pos)
{
	*pos = NULL;
	if (!uoff)
		return 0;
	if (pipe_of_file(f) || (f->mode & FMODE_STREAM))
		return -ESPIPE;
	if (mc_copy_from_user(off, uoff, sizeof(*off)))
		return -EFAULT;
	*pos = off;
	return *off < 0 ? -EINVAL : 0;
}

static long check_splice(struct file *in, struct file *out)
{
	if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!pipe_of_file(in) && !pipe_of_file(out))
		return -EINVAL;
	if (pipe_of_file(in) && pipe_of_file(in) == pipe_of_file(out))
		return -EINVAL;
	return out->flags & O_APPEND ? -EINVAL : 0;
}

long sys_splice(u64 fd_in, u64 uoff_in, u64 fd_out, u64 uoff_out, u64 len, u64 flags)
{
	struct file *in __file = fd_get_io((int)fd_in), *out __file = fd_get_io((int)fd_out);
	struct splice s = { .in = in,
			    .out = out,
			    .len = min(len, 1UL << 30),
			    .nowait = flags & SPLICE_F_NONBLOCK };
	s64 off_in, off_out, ret;
	long err = check_splice(in, out);

	if (err)
		return err;
	if ((u32)flags & ~SPLICE_F_ALL)
		return -EINVAL;
	err = side(in, uoff_in, &off_in, &s.in_pos);
	if (!err)
		err = side(out, uoff_out, &off_out, &s.out_pos);
	if (err || !s.len)
		return err;
	ret = splice_with_buffer(&s);
	if (ret > 0 && uoff_in && mc_copy_to_user(uoff_in, &off_in, sizeof(off_in)))
		return -EFAULT;
	if (ret > 0 && uoff_out && mc_copy_to_user(uoff_out, &off_out, sizeof(off_out)))
		return -EFAULT;
	return ret;
}

/* ---- tee ---- */

/*
 * One copy of what is in `in` now, as far as it fits: a second look would find the same bytes
 * again.
 */
static s64 tee_once(struct pipe *in, struct file *out, size_t len, bool nowait)
{
	struct pipe *p = pipe_of_file(out);
	u8 *buf;
	s64 ret;
	size_t n = min(len, pipe_has_readers(p) ? pipe_room(p) : len);

	n = min(n, (size_t)PIPE_MAX_SIZE);
	buf = kmalloc(n + 1);
	if (!buf)
		return -ENOMEM;
	n = pipe_peek(in, buf, 0, n);
	ret = n ? write_all(out, buf, n, NULL, nowait) : 0;
	kfree(buf);
	return ret;
}

long sys_tee(u64 fd_in, u64 fd_out, u64 len, u64 flags)
{
	struct file *in __file = fd_get_io((int)fd_in), *out __file = fd_get_io((int)fd_out);
	bool nowait = flags & SPLICE_F_NONBLOCK;
	long err = check_splice(in, out);

	if (err)
		return err;
	if (!pipe_of_file(in) || !pipe_of_file(out) || ((u32)flags & ~SPLICE_F_ALL))
		return -EINVAL;
	if (!len)
		return 0;
	err = pipe_wait_data(pipe_of_file(in), nowait || (in->flags & O_NONBLOCK));
	if (!err)
		err = pipe_wait_room(pipe_of_file(out), nowait || (out->flags & O_NONBLOCK));
	if (err)
		return err;
	return tee_once(pipe_of_file(in), out, len, nowait);
}

/* ---- vmsplice: a writev to, or readv from, the pipe ---- */

#define UIO_FAST 8
#define UIO_MAX 1024

static s64 vmsplice_iov(struct file *f, struct mc_iovec *iov, uaddr_t uiov, int n, bool nowait)
{
	struct uio u = { .iov = iov, .n = n, .nowait = nowait || (f->flags & O_NONBLOCK) };

	if (mc_copy_from_user(iov, uiov, n * sizeof(*iov)))
		return -EFAULT;
	for (int i = 0; i < n; i++) {
		if ((s64)iov[i].len < 0 || (s64)(u.resid + iov[i].len) < 0)
			return -EINVAL;
		u.resid += iov[i].len;
	}
	return f->mode & FMODE_WRITE ? vfs_write(f, &u, NULL) : vfs_read(f, &u, NULL);
}

long sys_vmsplice(u64 fd, u64 uiov, u64 n, u64 flags)
{
	struct file *f __file = fd_get_io((int)fd);
	struct mc_iovec fast[UIO_FAST], *iov = fast;
	s64 ret;

	if (!f || !pipe_of_file(f))
		return -EBADF;
	if (((u32)flags & ~SPLICE_F_ALL) || n > UIO_MAX)
		return -EINVAL;
	if (n > UIO_FAST) {
		iov = kmalloc(n * sizeof(*iov));
		if (!iov)
			return -ENOMEM;
	}
	ret = vmsplice_iov(f, iov, uiov, n, flags & SPLICE_F_NONBLOCK);
	if (iov != fast)
		kfree(iov);
	return ret;
}
