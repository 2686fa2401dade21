/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing. */
#include <linux/openat2.h>

#include "brought.h"
#include "dev.h"
#include "fsnotify.h"
#include "hostfs.h"
#include "leases.h"
#include "pipe.h"
#include "syscall.h"
#include "vfs_impl.h"

#ifndef O_TMPFILE
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
#endif

#define KNOWN_FLAGS                                                                                \
	((u32)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |         \
	       O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
	       O_CLOEXEC | O_PATH | __O_TMPFILE))

/* ---- guest file systems ---- */

static u32 open_mode(u32 flags)
{
	if (flags & O_PATH)
		return FMODE_PATH;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	default:
		return FMODE_READ | FMODE_WRITE;
	}
}

static struct mutex chrdevs_lock;
static struct list_head chrdevs = LIST_HEAD_INIT(chrdevs);

void chrdev_register(struct chrdev *d)
{
	guard(&chrdevs_lock);
	list_add_tail(&d->node, &chrdevs);
}

static struct chrdev *chrdev_find(u64 rdev)
{
	u32 major = rdev >> 32, minor = rdev;
	struct chrdev *d;

	guard(&chrdevs_lock);
	list_for_each(d, &chrdevs, node)
		if (d->major == major && minor >= d->minor && minor < d->minor + d->count)
			return d;
	return NULL;
}

struct file *device_open(struct inode *i, u32 flags)
{
	struct chrdev *d = S_ISCHR(i->mode) ? chrdev_find(i->rdev) : NULL;
	struct file *f;
	int r;

	f = file_new(NULL, flags & ~(OPEN_ONLY_FLAGS & ~(u32)O_NOCTTY), open_mode(flags));
	if (!f)
		return ERR_PTR(-ENOMEM);
	r = d ? d->open(i, f) : -ENXIO;
	if (r == -ENXIO)
		r = hostdev_open(i, f);
	f->flags &= ~(u32)O_NOCTTY;
	if (!r)
		return f;
	f->ops = NULL;
	file_put(f);
	return ERR_PTR(r);
}

static struct file *plain_open(struct inode *i, struct mount *mnt, u32 flags)
{
	struct file *f = file_new(NULL, flags & ~OPEN_ONLY_FLAGS, open_mode(flags));
	int r = 0;

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->inode = inode_get(i);
	file_set_mount(f, mnt);
	if (flags & O_PATH)
		f->ops = &path_file_ops;
	else if (i->ops->open)
		r = i->ops->open(i, f);
	else if (S_ISDIR(i->mode))
		f->ops = &dir_file_ops;
	else
		r = -ENXIO;
	if (!r)
		return f;
	f->ops = NULL;
	file_put(f);
	return ERR_PTR(r);
}

struct file *inode_open_file(struct inode *i, struct mount *mnt, u32 flags)
{
	struct file *f;

	if ((flags & O_PATH) || i->ops->open || S_ISDIR(i->mode) || S_ISREG(i->mode))
		return plain_open(i, mnt, flags);
	if (S_ISFIFO(i->mode))
		f = fifo_open(i->dev, i->ino, flags);
	else if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		f = device_open(i, flags);
	else
		f = ERR_PTR(-ENXIO);
	if (IS_ERR(f))
		return f;
	f->inode = inode_get(i);
	file_set_mount(f, mnt);
	return f;
}

static int may_open(struct name *n, const struct open_args *a)
{
	struct inode *i = n->inode;
	u32 flags = a->flags, mount_flags = n->mnt ? n->mnt->flags : 0;
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	int mask = 0;

	if ((flags & O_DIRECTORY) && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (S_ISDIR(i->mode) && (writes || (flags & O_CREAT)))
		return -EISDIR;
	if (S_ISREG(i->mode) && writes && (mount_flags & MS_RDONLY))
		return -EROFS;
	if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && (mount_flags & MS_NODEV))
		return -EACCES;
	if (a->exec && (!S_ISREG(i->mode) || (mount_flags & MS_NOEXEC)))
		return -EACCES;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	if ((flags & O_ACCMODE) != O_WRONLY)
		mask |= a->exec ? MAY_EXEC : MAY_READ;
	if (writes)
		mask |= MAY_WRITE;
	return inode_permission(i, mask);
}

/* O_CREAT of a name that is not there: n->inode becomes the new file. */
static int create(struct name *n, const struct open_args *a)
{
	struct inode *dir = n->parent;
	int r;

	if (n->slash)
		return -EISDIR;
	if (n->mnt && (n->mnt->flags & MS_RDONLY))
		return -EROFS;
	if (!dir->ops->create)
		return -EACCES;
	r = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (r)
		return r;
	mutex_lock(&dir->lock);
	r = dir->ops->create(dir, n->last, n->last_len, S_IFREG | (a->mode & 07777), 0, &n->inode);
	mutex_unlock(&dir->lock);
	if (!r)
		fsnotify_name(dir, IN_CREATE, n->last, n->last_len, 0);
	return r;
}

static int make_tmpfile(struct name *n, const struct open_args *a)
{
	struct inode *dir = n->inode;
	int r;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!dir->ops->create || (n->mnt && (n->mnt->flags & MS_RDONLY)))
		return dir->ops->create ? -EROFS : -EOPNOTSUPP;
	r = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (r)
		return r;
	n->inode = NULL;
	guard(&dir->lock);
	r = dir->ops->create(dir, NULL, 0, S_IFREG | (a->mode & 07777), 0, &n->inode);
	inode_put(dir);
	return r;
}

static s64 guest_open(struct name *n, void *arg)
{
	struct open_args *a = arg;
	bool created = false;
	struct file *f;
	int r = 0;

	if (a->flags & __O_TMPFILE) {
		r = make_tmpfile(n, a);
		created = true;
	} else if (!n->inode) {
		r = create(n, a);
		created = true;
	} else if ((a->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
		r = -EEXIST;
	}
	if (!r && !created)
		r = may_open(n, a);
	if (r)
		return r;
	if ((a->flags & O_TRUNC) && S_ISREG(n->inode->mode) && !created) {
		struct iattr size = {.valid = ATTR_SIZE};

		r = inode_setattr(n->inode, &size);
		if (r)
			return r;
	}
	f = inode_open_file(n->inode, n->mnt, a->flags);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (!f->name && n->canon && n->mnt)
		f->name = kstrdup(n->canon);
	a->file = f;
	if (!(a->flags & O_PATH))
		fsnotify_inode(n->inode, IN_OPEN);
	return 0;
}

/* ---- the common part ---- */

static int check_flags(struct open_args *a)
{
	u32 flags = a->flags & KNOWN_FLAGS;

	if (!(flags & (O_CREAT | __O_TMPFILE)))
		a->mode = 0;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & __O_TMPFILE) {
		if ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_ACCMODE) == O_RDONLY ||
		    (flags & O_CREAT))
			return -EINVAL;
	} else if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
		return -EINVAL;
	}
	a->mode &= 07777 & ~current->fs->umask;
	a->flags = flags | (flags & O_PATH ? 0 : O_LARGEFILE_64);
	return 0;
}

/* After the open: it has done nothing to the file yet. */
static struct file *break_leases(struct file *f, const struct open_args *a)
{
	bool writes = (a->flags & O_ACCMODE) != O_RDONLY;
	u64 dev, ino;
	int r;

	if (!leases_any() || (f->mode & FMODE_PATH) || !f->inode || !S_ISREG(f->inode->mode))
		return f;
	file_identity(f, &dev, &ino);
	r = lease_break(dev, ino, writes, a->flags & O_NONBLOCK);
	if (!r)
		return f;
	file_put(f);
	return ERR_PTR(r);
}

static struct file *do_open(int dirfd, const char *path, u32 name_flags, struct open_args *a)
{
	struct name n;
	int r = check_flags(a);

	if (!r && (a->flags & O_TRUNC))
		r = lease_break_name(dirfd, path, a->flags & O_NONBLOCK);
	if (r)
		return ERR_PTR(r);
	if ((a->flags & O_NOFOLLOW) || (a->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		name_flags |= NAME_NOFOLLOW;
	if (a->flags & O_CREAT)
		name_flags |= NAME_PARENT | NAME_OPEN;
	if (a->resolve & RESOLVE_IN_ROOT) { /* "/" is the directory itself */
		while (*path == '/')
			path++;
		if (!*path)
			path = ".";
	}
	name_at(&n, dirfd, path, name_flags);
	n.resolve = a->resolve;
	r = name_run(&n, hostfs_open, guest_open, a);
	return r ? ERR_PTR(r) : break_leases(a->file, a);
}

struct file *vfs_open(int dirfd, const char *path, u32 flags, u32 mode)
{
	struct open_args a = {.flags = flags, .mode = mode};

	return do_open(dirfd, path, 0, &a);
}

static s64 guest_readable(struct name *n, void *arg)
{
	return -EACCES; /* only host files need the second try */
}

/* A host file that the caller may execute but not read is opened by the kernel itself. */
static struct file *open_unreadable(int dirfd, const char *path, u32 flags, struct open_args *a)
{
	int mode = MAY_EXEC;
	struct name n;
	s64 r;

	name_at(&n, dirfd, path, flags);
	r = name_run(&n, vfs_access_host, guest_readable, &mode);
	if (r)
		return ERR_PTR(r);
	name_at(&n, dirfd, path, flags);
	n.all_powers = true;
	r = name_run(&n, hostfs_open, guest_open, a);
	return r ? ERR_PTR(r) : a->file;
}

struct file *vfs_open_exec(int dirfd, const char *path, u32 at_flags)
{
	struct open_args a = {.flags = O_RDONLY, .exec = true};
	u32 flags = 0;
	struct file *f;

	if (at_flags & AT_EMPTY_PATH)
		flags |= NAME_EMPTY;
	if (at_flags & AT_SYMLINK_NOFOLLOW)
		flags |= NAME_NOFOLLOW;
	f = do_open(dirfd, path, flags, &a);
	if (f == ERR_PTR(-EACCES))
		f = open_unreadable(dirfd, path, flags, &a);
	if (!IS_ERR(f))
		f->mode |= FMODE_EXEC;
	return f;
}

static long open_fd(int dirfd, uaddr_t upath, struct open_args *a)
{
	char *path __name = getname(upath);
	bool cloexec = a->flags & O_CLOEXEC;
	struct file *f;

	if (IS_ERR(path))
		return PTR_ERR(path);
	f = do_open(dirfd, path, 0, a);
	return IS_ERR(f) ? PTR_ERR(f) : fd_install(f, cloexec);
}

long sys_openat(u64 dirfd, u64 path, u64 flags, u64 mode)
{
	struct open_args a = {.flags = flags, .mode = mode};

	return open_fd((int)dirfd, path, &a);
}

long sys_open(u64 path, u64 flags, u64 mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(u64 path, u64 mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A struct of a size the caller chooses: what we do not know must be 0. */
static int copy_open_how(struct open_how *how, uaddr_t from, u64 size)
{
	u8 extra[64];

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (mc_copy_from_user(how, from, sizeof(*how)))
		return -EFAULT;
	for (u64 off = sizeof(*how); off < size; off += sizeof(extra)) {
		u64 n = min(size - off, (u64)sizeof(extra));

		if (mc_copy_from_user(extra, from + off, n))
			return -EFAULT;
		for (u64 i = 0; i < n; i++)
			if (extra[i])
				return -E2BIG;
	}
	return 0;
}

#define KNOWN_RESOLVE                                                                              \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |         \
	 RESOLVE_IN_ROOT | RESOLVE_CACHED)

long sys_openat2(u64 dirfd, u64 path, u64 uhow, u64 size)
{
	struct open_how how;
	struct open_args a;
	int r = copy_open_how(&how, uhow, size);

	if (r)
		return r;
	if ((how.flags & ~(u64)KNOWN_FLAGS) || (how.resolve & ~(u64)KNOWN_RESOLVE) ||
	    (how.mode & ~07777ULL))
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | __O_TMPFILE)))
		return -EINVAL;
	if ((how.flags & O_PATH) && (how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	if ((how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) ==
	    (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED)
		return -EAGAIN;
	a = (struct open_args){.flags = how.flags, .mode = how.mode, .resolve = how.resolve};
	return open_fd((int)dirfd, path, &a);
}

long sys_close(u64 fd)
{
	long r = fd_close((int)fd);

	if (!r)
		brought_pass_fd();
	return r;
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

long sys_close_range(u64 first, u64 last, u64 flags)
{
	u32 how = flags;
	int r;

	if (how & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || (u32)first > (u32)last)
		return -EINVAL;
	r = how & CLOSE_RANGE_UNSHARE ? fdtable_unshare() : 0;
	return r ? r : fd_close_range(first, last, how & CLOSE_RANGE_CLOEXEC);
}
