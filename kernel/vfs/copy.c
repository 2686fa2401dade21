/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_file_range and sendfile: between two regular host files by the hypervisor, without
 * the bytes ever coming here; everything else through a buffer.
 */
#include "brought.h"
#include "hostfs.h"
#include "signal.h"
#include "stat_run.h"
#include "syscall.h"
#include "vfs_impl.h"

#define BOUNCE 65536u

/* Positions as the caller gave them; NULL is the file's own. */
struct copy {
	struct file *in, *out;
	s64 *in_pos, *out_pos;
};

static bool host_regular(struct file *f)
{
	return (f->mode & FMODE_HOST) && f->inode && S_ISREG(f->inode->mode);
}

static s64 copy_at_host(struct copy *c, u64 len)
{
	u32 flags = 0;
	struct pv_slot s;
	s64 r;

	if (!c->in_pos) {
		brought_settle(c->in);
		file_moves(c->in);
	}
	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_COPY_RANGE;
	s.req.u.handle.id = c->in->handle;
	s.req.u.handle.id2 = c->out->handle;
	s.req.u.handle.flags = flags;
	s.req.u.handle.off = c->in_pos ? *c->in_pos : -1;
	s.req.u.handle.off2 = c->out_pos ? *c->out_pos : -1;
	s.req.u.handle.len = len;
	r = mc_pv_call(&s);
	stat_runs_changed();
	mc_pv_put(&s);
	if (r > 0) {
		if (c->in_pos)
			*c->in_pos += r;
		if (c->out_pos)
			*c->out_pos += r;
	}
	return r;
}

static s64 move(struct file *f, void *buf, size_t n, s64 *pos, bool writes)
{
	struct mc_iovec iov;
	struct uio u;

	uio_kernel(&u, &iov, buf, n);
	u.nowait = (f->mode & FMODE_STREAM) && (f->flags & O_NONBLOCK);
	if (f->mode & FMODE_STREAM)
		return writes ? vfs_write(f, &u, NULL) : vfs_read(f, &u, NULL);
	if (pos)
		return writes ? vfs_write(f, &u, pos) : vfs_read(f, &u, pos);
	if (f->mode & FMODE_HOST)
		return writes ? vfs_write(f, &u, NULL) : vfs_read(f, &u, NULL);
	guard(&f->lock);
	return writes ? vfs_write(f, &u, &f->pos) : vfs_read(f, &u, &f->pos);
}

/* What was read and could not be written goes back: the position is moved, where there is one. */
static void unread(struct copy *c, s64 n)
{
	if (c->in_pos)
		*c->in_pos -= n;
	else if (c->in->mode & FMODE_HOST)
		mc_seek(c->in->handle, -n, SEEK_CUR);
	else if (!(c->in->mode & FMODE_STREAM))
		c->in->pos -= n;
}

/* One buffer's worth. Bytes moved, 0 at the end, -errno. */
static s64 bounce(struct copy *c, u8 *buf, u64 len)
{
	s64 n = move(c->in, buf, min(len, (u64)BOUNCE), c->in_pos, false), done = 0;

	if (n <= 0)
		return n;
	while (done < n) {
		s64 r = move(c->out, buf + done, n - done, c->out_pos, true);

		if (r <= 0) {
			unread(c, n - done);
			return done ? done : r;
		}
		done += r;
	}
	return done;
}

static s64 copy_by_buffer(struct copy *c, u64 len)
{
	u8 *buf = kmalloc(BOUNCE);
	s64 done = 0, r = 0;

	if (!buf)
		return -ENOMEM;
	while ((u64)done < len) {
		u64 want = min(len - done, (u64)BOUNCE);

		r = bounce(c, buf, want);
		if (r <= 0)
			break;
		done += r;
		if ((u64)r < want || task_work_pending())
			break;
	}
	kfree(buf);
	return done ? done : r;
}

static s64 do_copy(struct copy *c, u64 len)
{
	s64 room = vfs_write_room(c->out, c->out_pos ? *c->out_pos : -1, min(len, (u64)MAX_RW_COUNT), false);

	if (room <= 0)
		return room;
	len = (u64)room;
	if (host_regular(c->in) && host_regular(c->out) && !(c->out->flags & O_APPEND)) {
		s64 r = copy_at_host(c, len);

		if (r != -EXDEV && r != -EOPNOTSUPP && r != -EINVAL && r != -ENOSYS)
			return r;
	}
	return copy_by_buffer(c, len);
}

static int get_pos(uaddr_t from, s64 *pos)
{
	if (mc_copy_from_user(pos, from, sizeof(*pos)))
		return -EFAULT;
	return *pos < 0 ? -EINVAL : 0;
}

static bool usable(struct file *in, struct file *out)
{
	return in && out && (in->mode & FMODE_READ) && (out->mode & FMODE_WRITE);
}

long sys_sendfile(u64 out_fd, u64 in_fd, u64 upos, u64 len)
{
	struct file *in __file = fd_get_io((int)in_fd), *out __file = fd_get_io((int)out_fd);
	struct copy c = {.in = in, .out = out};
	s64 pos, r;

	if (!usable(in, out))
		return -EBADF;
	if (upos) {
		r = get_pos(upos, &pos);
		if (r)
			return r;
		if (in->mode & FMODE_STREAM)
			return -ESPIPE;
		c.in_pos = &pos;
	}
	if (out->flags & O_APPEND)
		return -EINVAL;
	r = do_copy(&c, len);
	if (upos && r >= 0 && mc_copy_to_user(upos, &pos, sizeof(pos)))
		return -EFAULT;
	return r;
}

static int check_range_files(struct file *in, struct file *out)
{
	if (!usable(in, out) || (out->flags & O_APPEND))
		return -EBADF;
	if (!in->inode || !out->inode || S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	return 0;
}

long sys_copy_file_range(u64 in_fd, u64 uin, u64 out_fd, u64 uout, u64 len, u64 flags)
{
	struct file *in __file = fd_get_io((int)in_fd), *out __file = fd_get_io((int)out_fd);
	struct copy c = {.in = in, .out = out};
	s64 in_pos, out_pos, r = check_range_files(in, out);

	if (r)
		return r;
	if ((u32)flags)
		return -EINVAL;
	if (uin) {
		r = get_pos(uin, &in_pos);
		c.in_pos = &in_pos;
	}
	if (uout && !r) {
		r = get_pos(uout, &out_pos);
		c.out_pos = &out_pos;
	}
	if (r)
		return r;
	r = do_copy(&c, len);
	if (r < 0)
		return r;
	if ((uin && mc_copy_to_user(uin, &in_pos, sizeof(in_pos))) ||
	    (uout && mc_copy_to_user(uout, &out_pos, sizeof(out_pos))))
		return -EFAULT;
	return r;
}
