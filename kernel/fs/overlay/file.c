/* SPDX-License-Identifier: Apache-2.0 */
/* Open files of an overlay: each has one of a layer behind it, or two, when it was copied up since it was opened. */
#include "overlay.h"

#include "fsnotify.h"
#include "mm.h"

struct ovl_file {
	struct file *real, *later;
};

static struct file *open_real(struct ovl_inode *o, u32 flags)
{
	return ovl_layer_open(ovl_real(o), flags & (u32)(O_ACCMODE | O_NOATIME | O_DIRECT), false);
}

static struct file *real_of(struct file *f)
{
	struct ovl_inode *o = ovl_inode(f->inode);
	struct ovl_file *of = f->priv;
	struct file *later = __atomic_load_n(&of->later, __ATOMIC_ACQUIRE);

	if (later || !ovl_upper(o) || of->real->inode == ovl_upper(o))
		return later ? later : of->real;
	guard(&o->sb->lock);
	if (of->later)
		return of->later;
	later = open_real(o, f->flags);
	if (IS_ERR(later))
		return of->real;
	__atomic_store_n(&of->later, later, __ATOMIC_RELEASE);
	return later;
}

static s64 file_read(struct file *f, struct uio *u, s64 *pos)
{
	return vfs_read(real_of(f), u, pos);
}

static s64 file_write(struct file *f, struct uio *u, s64 *pos)
{
	struct file *real = real_of(f);
	s64 r;

	if (f->flags & O_APPEND)
		u->flags |= RWF_APPEND;
	r = vfs_write(real, u, pos);
	f->inode->size = real->inode->size;
	if (r > 0)
		fsnotify_inode(f->inode, IN_MODIFY);
	return r;
}

static s64 file_seek(struct file *f, s64 off, int whence)
{
	struct file *real = real_of(f);
	struct statx st;
	s64 r;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		r = real->ops->seek(real, off, whence);
		if (r < 0)
			return r;
		return generic_seek(f, r, SEEK_SET);
	}
	if (whence == SEEK_END && !ovl_layer_stat(real->inode, &st))
		f->inode->size = st.stx_size;
	return generic_seek(f, off, whence);
}

/* Mappings show the overlay's name. One of a file that was copied up since is of the new file, by itself. */
static int file_mmap(struct file *f, struct vma *v)
{
	struct ovl_file *of = f->priv;
	struct file *real = real_of(f);
	int r = real->ops->mmap ? real->ops->mmap(real, v) : -ENODEV;

	if (real == of->real)
		f->handle = real->handle;
	else if (!r)
		v->file = real;
	return r;
}

static int file_fsync(struct file *f, bool data_only)
{
	struct file *real = real_of(f);

	return real->ops->fsync ? real->ops->fsync(real, data_only) : 0;
}

static int file_truncate(struct file *f, u64 len)
{
	struct file *real = real_of(f);
	int r = real->ops->truncate(real, len);

	ovl_refresh(ovl_inode(f->inode));
	return r;
}

static int file_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct file *real = real_of(f);
	int r = real->ops->fallocate ? real->ops->fallocate(real, mode, off, len) : -EOPNOTSUPP;

	ovl_refresh(ovl_inode(f->inode));
	return r;
}

static void file_release(struct file *f)
{
	struct ovl_file *of = f->priv;

	fsnotify_inode(f->inode, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	file_put(of->real);
	file_put(of->later);
	kfree(of);
}

static const struct file_ops ovl_file_ops = {
	.read = file_read,
	.write = file_write,
	.seek = file_seek,
	.mmap = file_mmap,
	.fsync = file_fsync,
	.truncate = file_truncate,
	.fallocate = file_fallocate,
	.release = file_release,
};

int ovl_open(struct inode *i, struct file *f)
{
	struct ovl_inode *o = ovl_inode(i);
	struct ovl_file *of = kzalloc(sizeof(*of));
	int r = of ? 0 : -ENOMEM;

	if (!r && (f->mode & FMODE_WRITE)) {
		guard(&o->sb->lock);
		r = ovl_copy_up(o, true);
	}
	if (!r) {
		of->real = open_real(o, f->flags);
		r = IS_ERR(of->real) ? (int)PTR_ERR(of->real) : 0;
	}
	if (r) {
		kfree(of);
		return r;
	}
	f->priv = of;
	f->ops = &ovl_file_ops;
	f->handle = of->real->handle;
	return 0;
}
