/* SPDX-License-Identifier: Apache-2.0 */
/* truncate, fallocate, and the system calls that flush files. */
#include <linux/falloc.h>

#include "brought.h"
#include "hostfs.h"
#include "kept.h"
#include "leases.h"
#include "syscall.h"
#include "vfs_impl.h"

static s64 host_truncate(struct name *n, void *len)
{
	return host_simple(n, PV_TRUNCATE, 0, 0, *(u64 *)len);
}

static s64 guest_truncate(struct name *n, void *len)
{
	struct iattr a = {.valid = ATTR_SIZE, .size = *(u64 *)len};
	int r;

	if (S_ISDIR(n->inode->mode))
		return -EISDIR;
	if (!S_ISREG(n->inode->mode))
		return -EINVAL;
	if (n->mnt && (n->mnt->flags & MS_RDONLY))
		return -EROFS;
	r = inode_permission(n->inode, MAY_WRITE);
	return r ? r : inode_setattr(n->inode, &a);
}

long sys_truncate(u64 upath, u64 len)
{
	char *path __name = getname(upath);
	struct statx st;
	struct name n;
	int r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if ((s64)len < 0)
		return -EINVAL;
	if (len > rlimit(RLIMIT_FSIZE) && !vfs_stat(AT_FDCWD, path, 0, &st) && S_ISREG(st.stx_mode)) {
		r = vfs_may_grow(st.stx_size, len);
		if (r)
			return r;
	}
	r = lease_break_name(AT_FDCWD, path, false);
	if (r)
		return r;
	name_at(&n, AT_FDCWD, path, 0);
	return name_run(&n, host_truncate, guest_truncate, &len);
}

long sys_ftruncate(u64 fd, u64 len)
{
	struct file *f __file = fd_get_io((int)fd);
	int r;

	if (!f)
		return -EBADF;
	if ((s64)len < 0 || !(f->mode & FMODE_WRITE) || !f->ops->truncate)
		return -EINVAL;
	r = vfs_may_resize(f, len);
	return r ? r : f->ops->truncate(f, len);
}

long sys_fallocate(u64 fd, u64 mode, u64 off, u64 len)
{
	struct file *f __file = fd_get_io((int)fd);
	int r;

	if (!f || !(f->mode & FMODE_WRITE))
		return -EBADF;
	if ((s64)off < 0 || (s64)len <= 0)
		return -EINVAL;
	if ((s64)(off + len) < 0)
		return -EFBIG;
	if (f->mode & FMODE_STREAM)
		return -ESPIPE;
	if (!f->ops->fallocate)
		return -ENODEV;
	r = (u32)mode & FALLOC_FL_KEEP_SIZE ? 0 : vfs_may_resize(f, off + len);
	return r ? r : f->ops->fallocate(f, (int)mode, off, len);
}

/* ---- flushing ---- */

int vfs_fsync(struct file *f, bool data_only)
{
	int r = f->ops->fsync ? f->ops->fsync(f, data_only) : -EINVAL;

	return r > 0 ? 0 : r;
}

static long do_fsync(int fd, bool data_only)
{
	struct file *f __file = fd_get_io(fd);

	return f ? vfs_fsync(f, data_only) : -EBADF;
}

long sys_fsync(u64 fd)
{
	return do_fsync((int)fd, false);
}

long sys_fdatasync(u64 fd)
{
	return do_fsync((int)fd, true);
}

long sys_sync_file_range(u64 fd, u64 off, u64 len, u64 flags)
{
	if ((s64)off < 0 || (s64)len < 0 || ((u32)flags & ~7u))
		return -EINVAL;
	return do_fsync((int)fd, true);
}

long sys_syncfs(u64 fd)
{
	struct file *f __file = fd_get_io((int)fd);
	s64 r;

	if (!f)
		return -EBADF;
	if (!f->handle || !f->inode || !inode_is_host(f->inode))
		return 0;
	r = host_handle_call(PV_FSYNC, f->handle, 2, 0, 0);
	return r < 0 ? r : 0;
}

/* ---- advice ---- */

long sys_fadvise64(u64 fd, u64 off, u64 len, u64 advice)
{
	struct file *f __file = fd_get_io((int)fd);

	if (!f)
		return -EBADF;
	if (f->mode & FMODE_STREAM)
		return -ESPIPE;
	if ((s64)len < 0 || (int)advice < 0 || (int)advice > 5)
		return -EINVAL;
	if ((f->mode & FMODE_BROUGHT) && brought_advice(f, (int)advice))
		return 0;
	if (f->mode & FMODE_HOST) {
		kept_spoil(f->inode);
		return host_handle_call(PV_FADVISE, f->handle, advice, off, len);
	}
	return 0;
}

long sys_readahead(u64 fd, u64 off, u64 len)
{
	struct file *f __file = fd_get_io((int)fd);

	if (!f || !(f->mode & FMODE_READ))
		return -EBADF;
	if (!(f->mode & FMODE_HOST) || (f->mode & FMODE_STREAM))
		return -EINVAL;
	return host_handle_call(PV_FADVISE, f->handle, 3 /* POSIX_FADV_WILLNEED */, off, len);
}
