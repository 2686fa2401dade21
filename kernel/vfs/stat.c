/* SPDX-License-Identifier: Apache-2.0 */
/* The stat family. */
#include "hostfs.h"
#include "mounts.h"
#include "syscall.h"
#include "user_ns.h"
#include "vfs_impl.h"

/* ---- the three forms of one answer ---- */

static void statx_of_stat(struct statx *x, const struct stat *st)
{
	memset(x, 0, sizeof(*x));
	x->stx_mask = STATX_BASIC_STATS;
	x->stx_blksize = st->st_blksize;
	x->stx_nlink = st->st_nlink;
	x->stx_uid = st->st_uid;
	x->stx_gid = st->st_gid;
	x->stx_mode = st->st_mode;
	x->stx_ino = st->st_ino;
	x->stx_size = st->st_size;
	x->stx_blocks = st->st_blocks;
	x->stx_atime.tv_sec = st->st_atime;
	x->stx_atime.tv_nsec = st->st_atime_nsec;
	x->stx_mtime.tv_sec = st->st_mtime;
	x->stx_mtime.tv_nsec = st->st_mtime_nsec;
	x->stx_ctime.tv_sec = st->st_ctime;
	x->stx_ctime.tv_nsec = st->st_ctime_nsec;
	x->stx_rdev_major = dev_major(st->st_rdev);
	x->stx_rdev_minor = dev_minor(st->st_rdev);
	x->stx_dev_major = dev_major(st->st_dev);
	x->stx_dev_minor = dev_minor(st->st_dev);
}

static void stat_of_statx(struct stat *st, const struct statx *x)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = dev_encode(x->stx_dev_major, x->stx_dev_minor);
	st->st_ino = x->stx_ino;
	st->st_nlink = x->stx_nlink;
	st->st_mode = x->stx_mode;
	st->st_uid = x->stx_uid;
	st->st_gid = x->stx_gid;
	st->st_rdev = dev_encode(x->stx_rdev_major, x->stx_rdev_minor);
	st->st_size = x->stx_size;
	st->st_blksize = x->stx_blksize;
	st->st_blocks = x->stx_blocks;
	st->st_atime = x->stx_atime.tv_sec;
	st->st_atime_nsec = x->stx_atime.tv_nsec;
	st->st_mtime = x->stx_mtime.tv_sec;
	st->st_mtime_nsec = x->stx_mtime.tv_nsec;
	st->st_ctime = x->stx_ctime.tv_sec;
	st->st_ctime_nsec = x->stx_ctime.tv_nsec;
}

/* ---- open files ---- */

static int fast_fstat(struct file *f, struct stat *st)
{
	return (f->mode & FMODE_HOST) && inode_is_host(f->inode) ? hostfs_fstat(f, st) : -EAGAIN;
}

void stat_mount(const struct name *n, struct statx *st)
{
	const char *place = n->canon ? n->canon : n->base.name;

	if (!n->mnt)
		return;
	st->stx_mask |= STATX_MNT_ID;
	st->stx_mnt_id = (u64)n->mnt->id;
	st->stx_attributes_mask |= STATX_ATTR_MOUNT_ROOT;
	if (place && mount_at_base(n->mnt, strcmp(place, "/") ? place : ""))
		st->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	else
		st->stx_attributes &= ~(u64)STATX_ATTR_MOUNT_ROOT;
}

static s64 guest_stat(struct name *n, void *st)
{
	inode_getattr(n->inode, st);
	stat_mount(n, st);
	return 0;
}

int vfs_fstat(struct file *f, struct statx *st)
{
	struct stat fast;
	struct name n;
	int r = fast_fstat(f, &fast);

	if (!r)
		statx_of_stat(st, &fast);
	if (r != -EAGAIN)
		return r;
	if (f->inode && inode_is_host(f->inode) && !f->inode->handle && !S_ISDIR(f->inode->mode)) {
		inode_getattr(f->inode, st); /* a device or FIFO: what the open said */
		return 0;
	}
	name_file(&n, f);
	return name_run(&n, hostfs_stat, guest_stat, st);
}

int vfs_stat(int dirfd, const char *path, u32 at_flags, struct statx *st)
{
	struct name n;
	u32 flags = 0;

	if (!*path && (at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
		struct file *f __file = fd_get(dirfd);

		return f ? vfs_fstat(f, st) : -EBADF;
	}
	if (at_flags & AT_SYMLINK_NOFOLLOW)
		flags |= NAME_NOFOLLOW;
	if (at_flags & AT_EMPTY_PATH)
		flags |= NAME_EMPTY;
	name_at(&n, dirfd, path, flags);
	return name_run(&n, hostfs_stat, guest_stat, st);
}

/* ---- system calls ---- */

static long copy_stat(uaddr_t to, struct stat *st)
{
	st->st_uid = show_uid(st->st_uid);
	st->st_gid = show_gid(st->st_gid);
	return mc_copy_to_user(to, st, sizeof(*st)) ? -EFAULT : 0;
}

long sys_fstat(u64 fd, u64 to)
{
	struct fdref ref __fdref = fd_borrow((int)fd);
	struct stat st;
	struct statx x;
	int r;

	if (!ref.f)
		return -EBADF;
	r = fast_fstat(ref.f, &st);
	if (r == -EAGAIN) {
		r = vfs_fstat(ref.f, &x);
		stat_of_statx(&st, &x);
	}
	return r ? r : copy_stat(to, &st);
}

static long stat_at(int dirfd, uaddr_t upath, u64 at_flags, uaddr_t to)
{
	char *path __name = getname_flags(upath, at_flags);
	struct statx x;
	struct stat st;
	int r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (!*path && (at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD)
		return sys_fstat(dirfd, to);
	r = vfs_stat(dirfd, path, at_flags, &x);
	if (r)
		return r;
	stat_of_statx(&st, &x);
	return copy_stat(to, &st);
}

long sys_stat(u64 path, u64 to)
{
	return stat_at(AT_FDCWD, path, 0, to);
}

long sys_lstat(u64 path, u64 to)
{
	return stat_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, to);
}

long sys_newfstatat(u64 dirfd, u64 path, u64 to, u64 flags)
{
	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	return stat_at((int)dirfd, path, (u32)flags, to);
}

long sys_statx(u64 dirfd, u64 upath, u64 flags, u64 mask, u64 to)
{
	char *path __name = getname_flags(upath, flags);
	struct statx x;
	int r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if ((u32)flags &
	    ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if (((u32)flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    ((u32)mask & STATX__RESERVED))
		return -EINVAL;
	r = vfs_stat((int)dirfd, path, (u32)flags, &x);
	if (r)
		return r;
	x.stx_uid = show_uid(x.stx_uid);
	x.stx_gid = show_gid(x.stx_gid);
	return mc_copy_to_user(to, &x, sizeof(x)) ? -EFAULT : 0;
}
