/* SPDX-License-Identifier: Apache-2.0 */
/* Reading directories. */
#include "fsnotify.h"
#include "hostfs.h"
#include "syscall.h"
#include "vfs_impl.h"

/* ---- directories of guest file systems ---- */

bool dir_emit_dots(struct dir_context *ctx, struct inode *dir)
{
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->ino, 4 /* DT_DIR */))
			return false;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, dir->parent ? dir->parent->ino : dir->ino, 4))
			return false;
		ctx->pos = 2;
	}
	return true;
}

static int dir_getdents(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	int r;

	if (!dir->ops->readdir)
		return -ENOTDIR;
	guard(&f->lock);
	ctx->pos = f->pos;
	r = dir->ops->readdir(dir, ctx);
	f->pos = ctx->pos;
	return r;
}

static int dir_fsync(struct file *f, bool data_only)
{
	return 0;
}

static void dir_release(struct file *f)
{
	fsnotify_inode(f->inode, IN_CLOSE_NOWRITE);
}

const struct file_ops dir_file_ops = {
	.release = dir_release,
	.seek = generic_seek,
	.getdents = dir_getdents,
	.fsync = dir_fsync,
};

/* ---- records ---- */

#define RECORDS_MAX 32768u

/* Both layouts: d_ino, d_off, d_reclen; then d_type and d_name, or d_name with d_type in the last
 * byte. */
struct record {
	u64 ino;
	s64 off;
	u16 reclen;
} __attribute__((packed));
#define HEAD 18u /* sizeof(struct record) */

struct filler {
	struct dir_context ctx;
	u8 *buf;
	size_t room, used;
	struct record *last; /* its offset is the cookie of the next entry */
	bool old;	     /* getdents, not getdents64 */
	bool too_small;
};

static bool fill(struct dir_context *ctx, const char *name, size_t len, u64 ino, u32 type)
{
	struct filler *fl = container_of(ctx, struct filler, ctx);
	size_t reclen = (HEAD + len + 2 + 7) & ~7UL;
	struct record *d = (struct record *)(fl->buf + fl->used);
	u8 *body = (u8 *)d + HEAD;

	if (fl->last)
		fl->last->off = ctx->pos;
	if (fl->used + reclen > fl->room) {
		fl->too_small = !fl->used;
		return false;
	}
	memset(d, 0, reclen);
	d->ino = ino;
	d->reclen = reclen;
	memcpy(fl->old ? body : body + 1, name, len);
	if (fl->old)
		((u8 *)d)[reclen - 1] = type;
	else
		*body = type;
	fl->last = d;
	fl->used += reclen;
	return true;
}

static s64 fill_user(struct file *f, uaddr_t to, size_t room, bool old)
{
	struct filler fl = {.ctx.emit = fill, .room = min(room, (size_t)RECORDS_MAX), .old = old};
	s64 r;

	fl.buf = kmalloc(fl.room ? fl.room : 1);
	if (!fl.buf)
		return -ENOMEM;
	r = f->ops->getdents(f, &fl.ctx);
	if (fl.last)
		fl.last->off = fl.ctx.pos;
	if (!r && fl.too_small)
		r = -EINVAL;
	if (fl.used) /* what came before an error is reported first */
		r = mc_copy_to_user(to, fl.buf, fl.used) ? -EFAULT : (s64)fl.used;
	kfree(fl.buf);
	return r;
}

static long getdents(int fd, uaddr_t to, u64 room, bool old)
{
	struct file *f __file = fd_get_io(fd);

	if (!f)
		return -EBADF;
	if (!f->ops->getdents)
		return -ENOTDIR;
	if (f->ops == &hostfs_dir_ops && !old)
		return hostfs_getdents64(f, to, (u32)room);
	return fill_user(f, to, (u32)room, old);
}

long sys_getdents(u64 fd, u64 to, u64 room)
{
	return getdents((int)fd, to, room, true);
}

long sys_getdents64(u64 fd, u64 to, u64 room)
{
	return getdents((int)fd, to, room, false);
}
