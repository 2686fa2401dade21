/* SPDX-License-Identifier: Apache-2.0 */
/* lseek. */
#include "syscall.h"
#include "vfs_impl.h"

/* SEEK_DATA and SEEK_HOLE see one piece of data from the start to the end. */
static s64 target(struct file *f, s64 off, int whence)
{
	s64 size = f->inode ? (s64)__atomic_load_n(&f->inode->size, __ATOMIC_RELAXED) : 0;

	switch (whence) {
	case SEEK_SET:
		return off;
	case SEEK_CUR:
		return f->pos + off;
	case SEEK_END:
		return size + off;
	case SEEK_DATA:
		return off < 0 || off >= size ? -ENXIO : off;
	case SEEK_HOLE:
		return off < 0 || off >= size ? -ENXIO : size;
	default:
		return -EINVAL;
	}
}

s64 generic_seek(struct file *f, s64 off, int whence)
{
	s64 to;

	guard(&f->lock);
	to = target(f, off, whence);
	if (to < 0)
		return to == -ENXIO && whence >= SEEK_DATA ? to : -EINVAL;
	f->pos = to;
	return to;
}

long sys_lseek(u64 fd, u64 off, u64 whence)
{
	struct fdref ref __fdref = fd_borrow((int)fd);
	struct file *f = ref.f;

	if (!f || (f->mode & FMODE_PATH))
		return -EBADF;
	if ((f->mode & FMODE_STREAM) || !f->ops->seek)
		return -ESPIPE;
	return f->ops->seek(f, off, (int)whence);
}
