/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of the host. Bytes go straight to the machine (FMODE_HOST: vfs/rw.c); this is
 * the rest: seeking, directories, and what needs the hypervisor.
 */
#include <linux/falloc.h>
#include <linux/mman.h>

#include "brought.h"
#include "hostfs.h"
#include "kept.h"
#include "mm.h"
#include "stat_run.h"
#include "vfs_impl.h"

/* The host process sees owners through a user namespace of its own, so those come from elsewhere. */
int hostfs_fstat(struct file *f, struct stat *st)
{
	struct inode *i = f->inode;
	int r;

	if (i->owner_gen != hostfs_owner_gen())
		return -EAGAIN;
	r = f->mode & FMODE_BROUGHT ? brought_stat(f, st) : -EAGAIN;
	if (r)
		r = mc_fstat(f->handle, st);
	st->st_uid = i->uid;
	st->st_gid = i->gid;
	return r;
}

static s64 file_seek(struct file *f, s64 off, int whence)
{
	s64 r = f->mode & FMODE_BROUGHT ? brought_seek(f, off, whence) : -EAGAIN;

	if (r != -EAGAIN)
		return r;
	if (whence != SEEK_CUR || off)
		file_moves(f);
	return mc_seek(f->handle, off, whence);
}

static int file_mmap(struct file *f, struct vma *v)
{
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	if (f->mode & FMODE_BROUGHT)
		brought_mapped(f);
	stat_runs_changed(); /* the access time */
	if ((f->mode & FMODE_WRITE) && (v->flags & MAP_SHARED))
		stat_runs_stop();
	return 0;
}

static int handle_fsync(struct file *f, bool data_only)
{
	return host_handle_call(PV_FSYNC, f->handle, data_only ? 1 : 0, 0, 0);
}

static int file_truncate(struct file *f, u64 len)
{
	struct name n;

	name_file(&n, f);
	n.host = true;
	n.dir = f->handle;
	n.text = "";
	return host_simple(&n, PV_TRUNCATE, 0, 0, len);
}

static int file_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	return host_handle_call(PV_FALLOCATE, f->handle, mode, off, len);
}

static int file_setfl(struct file *f, u32 flags)
{
	u32 host = O_APPEND | O_DIRECT | O_NOATIME;
	s64 r;

	if ((f->flags & host) == (flags & host))
		return 0;
	kept_spoil(f->inode);
	r = host_handle_call(PV_SETFL, f->handle, flags & host, 0, 0);
	return r < 0 ? r : 0;
}

static void file_release(struct file *f)
{
	if (f->mode & FMODE_MOVED)
		kept_moved(f->inode);
	if ((f->mode & FMODE_WRITE) && f->inode && S_ISREG(f->inode->mode))
		writers_drop(f->inode);
	if (f->mode & FMODE_BROUGHT)
		brought_free(f);
}

const struct file_ops hostfs_file_ops = {
	.release = file_release,
	.seek = file_seek,
	.ioctl = hostfs_ioctl,
	.mmap = file_mmap,
	.fsync = handle_fsync,
	.truncate = file_truncate,
	.fallocate = file_fallocate,
	.setfl = file_setfl,
};

/* ---- directories ---- */

struct dirent_head {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
} __attribute__((packed));

static s64 dir_seek(struct file *f, s64 off, int whence)
{
	s64 r;

	guard(&f->lock);
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	r = off == f->pos ? 0 : host_handle_call(PV_SEEKDIR, f->handle, 0, off, 0);
	if (r < 0)
		return r;
	f->pos = off;
	f->priv = NULL;
	return off;
}

/* In a directory's priv: the next read finds the end, as the last one was told. */
static char at_end;

/* With f->lock held. Raw records into the slot's buffer. */
static s64 fetch(struct file *f, struct pv_slot *s, size_t room)
{
	s64 r;

	memset(&s->req.u, 0, sizeof(s->req.u));
	s->req.cmd = PV_GETDENTS;
	s->req.u.handle.id = f->handle;
	s->req.u.handle.len = min(room, (size_t)RING_BUF_SIZE);
	r = mc_pv_call(s);
	stat_runs_changed();
	return r;
}

s64 hostfs_getdents64(struct file *f, uaddr_t to, size_t room)
{
	struct pv_slot s;
	s64 r, at, next = 0, from;

	guard(&f->lock);
	if (f->priv == &at_end) {
		f->priv = NULL;
		brought_pass();
		return 0;
	}
	from = f->pos;
	mc_pv_get(&s);
	r = fetch(f, &s, room);
	if (r > 0 && s.rsp.val == 1)
		f->priv = &at_end;
	if (r > (s64)min(room, (size_t)RING_BUF_SIZE))
		r = -EIO;
	if (r > 0) {
		for (at = 0; at < r; at += next) {
			struct dirent_head *d = (void *)(s.buf + at);

			next = max((u16)24, d->reclen);
			f->pos = d->off;
		}
		if (mc_copy_to_user(to, s.buf, r))
			r = -EFAULT;
	}
	if (r <= 0 || !stat_run_ahead(f, &s, r, from, f->priv == &at_end))
		mc_pv_put(&s);
	return r;
}

/* Emit records until the receiver is full; then the directory is put back to the first one not
 * taken. */
static int emit_records(struct file *f, struct dir_context *ctx, u8 *buf, s64 len)
{
	s64 at = 0;

	while (at + (s64)sizeof(struct dirent_head) < len) {
		struct dirent_head *d = (void *)(buf + at);

		ctx->pos = f->pos;
		if (!ctx->emit(ctx, d->name, strnlen(d->name, NAME_MAX + 1), d->ino, d->type))
			return 1;
		f->pos = d->off;
		ctx->pos = d->off;
		if (d->reclen < sizeof(*d))
			return -EIO;
		at += d->reclen;
	}
	return 0;
}

static int dir_getdents(struct file *f, struct dir_context *ctx)
{
	struct pv_slot s;
	s64 len;
	int r = 0;

	guard(&f->lock);
	f->priv = NULL;
	mc_pv_get(&s);
	len = fetch(f, &s, 4096);
	if (len > 0)
		r = emit_records(f, ctx, s.buf, min(len, (s64)4096));
	mc_pv_put(&s);
	if (len < 0)
		return len;
	if (r > 0)
		r = host_handle_call(PV_SEEKDIR, f->handle, 0, f->pos, 0);
	return r < 0 ? r : 0;
}

const struct file_ops hostfs_dir_ops = {
	.seek = dir_seek,
	.getdents = dir_getdents,
	.fsync = handle_fsync,
	.ioctl = hostfs_ioctl,
};
