/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing names: mkdir, mknod, symlink, unlink, rmdir. */
#include "cred.h"
#include "fsnotify.h"
#include "hostfs.h"
#include "kept.h"
#include "kept_programs.h"
#include "mounts.h"
#include "syscall.h"
#include "vfs_impl.h"

/* May the caller change this directory of a guest file system? */
int dir_may_change(struct inode *dir, struct mount *mnt)
{
	if (mnt && (mnt->flags & MS_RDONLY))
		return -EROFS;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

/* A name that is to be made: it must not be there. */
static int may_make(struct name *n)
{
	if (n->inode)
		return -EEXIST;
	return dir_may_change(n->parent, n->mnt);
}

/* ---- mkdir, mknod ---- */

struct make_args {
	u32 mode;
	u64 rdev;
};

static s64 host_mkdir(struct name *n, void *arg)
{
	return host_simple(n, PV_MKDIR, 0, ((struct make_args *)arg)->mode & 07777, 0);
}

static s64 guest_make(struct name *n, void *arg)
{
	struct make_args *a = arg;
	int r = may_make(n);

	if (r)
		return r;
	if (n->slash && !S_ISDIR(a->mode))
		return -ENOENT;
	if (!n->parent->ops->create)
		return -EPERM;
	mutex_lock(&n->parent->lock);
	r = n->parent->ops->create(n->parent, n->last, n->last_len, a->mode, a->rdev, NULL);
	mutex_unlock(&n->parent->lock);
	if (!r)
		fsnotify_name(n->parent, IN_CREATE | (S_ISDIR(a->mode) ? IN_ISDIR : 0), n->last,
			      n->last_len, 0);
	return r;
}

static s64 host_mknod(struct name *n, void *arg)
{
	struct make_args *a = arg;

	return host_simple(n, PV_MKNOD, 0, a->mode, a->rdev);
}

static int do_mkdir(int dirfd, const char *path, u32 mode)
{
	struct make_args a = {.mode = S_IFDIR | (mode & 01777 & ~current->fs->umask)};
	struct name n;

	name_at(&n, dirfd, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, host_mkdir, guest_make, &a);
}

static s64 kernel_mkdir(struct name *n, void *arg)
{
	if (n->inode)
		return -EEXIST;
	if (!n->parent->ops->create)
		return -EPERM;
	guard(&n->parent->lock);
	return n->parent->ops->create(n->parent, n->last, n->last_len, S_IFDIR | *(u32 *)arg, 0,
				      NULL);
}

int vfs_mkdir_kernel(const char *path, u32 mode)
{
	struct name n;

	name_at(&n, AT_FDCWD, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, host_mkdir, kernel_mkdir, &mode);
}

struct node_args {
	struct make_args make;
	u32 uid, gid;
};

static s64 no_host_node(struct name *n, void *arg)
{
	return -EXDEV;
}

static s64 kernel_mknod(struct name *n, void *arg)
{
	struct node_args *a = arg;
	struct iattr attr = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = a->make.mode, .uid = a->uid, .gid = a->gid};
	struct inode *i = n->inode ? inode_get(n->inode) : NULL;
	int r = 0;

	if (i && ((i->mode & S_IFMT) != (a->make.mode & S_IFMT) || i->rdev != a->make.rdev)) {
		inode_put(i);
		return -EEXIST;
	}
	if (!i && !n->parent->ops->create)
		return -EPERM;
	if (!i) {
		mutex_lock(&n->parent->lock);
		r = n->parent->ops->create(n->parent, n->last, n->last_len, a->make.mode, a->make.rdev, &i);
		mutex_unlock(&n->parent->lock);
	}
	if (r)
		return r;
	inode_set_fields(i, &attr);
	inode_put(i);
	return 0;
}

int vfs_mknod_kernel(const char *path, u32 mode, u64 rdev, u32 uid, u32 gid)
{
	struct node_args a = {{mode, rdev}, uid, gid};
	struct name n;

	name_at(&n, AT_FDCWD, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, no_host_node, kernel_mknod, &a);
}

int vfs_mknod(int dirfd, const char *path, u32 mode, u64 rdev)
{
	struct make_args a = {.mode = mode & ~(u32)current->fs->umask, .rdev = rdev};
	struct name n;

	if (!(a.mode & S_IFMT))
		a.mode |= S_IFREG;
	switch (a.mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!capable(CAP_MKNOD))
			return -EPERM;
		break;
	default:
		return S_ISDIR(a.mode) ? -EPERM : -EINVAL;
	}
	name_at(&n, dirfd, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, host_mknod, guest_make, &a);
}

long sys_mkdirat(u64 dirfd, u64 upath, u64 mode)
{
	char *path __name = getname(upath);

	return IS_ERR(path) ? PTR_ERR(path) : do_mkdir((int)dirfd, path, mode);
}

long sys_mkdir(u64 path, u64 mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(u64 dirfd, u64 upath, u64 mode, u64 dev)
{
	char *path __name = getname(upath);

	if (IS_ERR(path))
		return PTR_ERR(path);
	return vfs_mknod((int)dirfd, path, mode & (S_IFMT | 07777),
			 RDEV(dev_major(dev), dev_minor((u32)dev)));
}

long sys_mknod(u64 path, u64 mode, u64 dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

/* ---- symlink ---- */

static s64 host_symlink(struct name *n, void *target)
{
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_SYMLINK, n);
	r = host_path2(&s, target, strlen(target)) ? host_call(&s, n) : -ENAMETOOLONG;
	host_end(&s);
	return r;
}

static s64 guest_symlink(struct name *n, void *target)
{
	int r = may_make(n);

	if (r)
		return r;
	if (!n->parent->ops->symlink)
		return -EPERM;
	mutex_lock(&n->parent->lock);
	r = n->parent->ops->symlink(n->parent, n->last, n->last_len, target);
	mutex_unlock(&n->parent->lock);
	if (!r)
		fsnotify_name(n->parent, IN_CREATE, n->last, n->last_len, 0);
	return r;
}

long sys_symlinkat(u64 utarget, u64 dirfd, u64 upath)
{
	char *target __name = getname(utarget), *path __name = getname(upath);
	struct name n;

	if (IS_ERR(target))
		return PTR_ERR(target);
	if (IS_ERR(path))
		return PTR_ERR(path);
	if (!*target)
		return -ENOENT;
	name_at(&n, (int)dirfd, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, host_symlink, guest_symlink, target);
}

long sys_symlink(u64 target, u64 path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

/* ---- unlink, rmdir ---- */

/* The sticky bit: only owners remove. */
int dir_may_remove(struct inode *dir, struct inode *victim)
{
	if (!(dir->mode & S_ISVTX) || current->cred->fsuid == dir->uid)
		return 0;
	return inode_owner_or_capable(victim) ? 0 : -EPERM;
}

static s64 host_unlink(struct name *n, void *rmdir)
{
	kept_forget(n->text, strlen(n->text));
	programs_forget(n->text, strlen(n->text));
	return host_simple(n, PV_UNLINK, *(bool *)rmdir ? PV_AT_REMOVEDIR : 0, 0, 0);
}

static void removed(struct name *n)
{
	struct inode *i = n->inode;

	fsnotify_name(n->parent, IN_DELETE | (S_ISDIR(i->mode) ? IN_ISDIR : 0), n->last,
		      n->last_len, 0);
	fsnotify_inode(i, i->nlink ? IN_ATTRIB : IN_DELETE_SELF);
}

static s64 guest_unlink(struct name *n, void *arg)
{
	bool rmdir = *(bool *)arg;
	struct inode *dir = n->parent;
	int r;

	if (!n->inode)
		return -ENOENT;
	if (!n->last_len) /* a mount's root, "." */
		return rmdir || !S_ISDIR(n->inode->mode) ? -EBUSY : -EISDIR;
	r = dir_may_change(dir, n->mnt);
	if (!r)
		r = dir_may_remove(dir, n->inode);
	if (r)
		return r;
	if (!dir->ops->unlink)
		return -EPERM;
	if (n->slash && !rmdir)
		return S_ISDIR(n->inode->mode) ? -EISDIR : -ENOTDIR;
	mutex_lock(&dir->lock);
	r = dir->ops->unlink(dir, n->last, n->last_len, rmdir);
	mutex_unlock(&dir->lock);
	if (!r)
		removed(n);
	return r;
}

int vfs_unlink(const char *path)
{
	bool rmdir = false;
	struct name n;

	name_at(&n, AT_FDCWD, path, NAME_PARENT | NAME_NOFOLLOW);
	return (int)name_run(&n, host_unlink, guest_unlink, &rmdir);
}

static long unlink_at(int dirfd, uaddr_t upath, bool rmdir)
{
	char *path __name = getname(upath);
	struct name n;
	size_t len;

	if (IS_ERR(path))
		return PTR_ERR(path);
	len = strlen(path);
	if (rmdir && len && path[len - 1] == '.' && (len == 1 || path[len - 2] == '/'))
		return -EINVAL;
	name_at(&n, dirfd, path, NAME_PARENT | NAME_NOFOLLOW);
	return name_run(&n, host_unlink, guest_unlink, &rmdir);
}

long sys_unlinkat(u64 dirfd, u64 path, u64 flags)
{
	if ((u32)flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at((int)dirfd, path, flags & AT_REMOVEDIR);
}

long sys_unlink(u64 path)
{
	return unlink_at(AT_FDCWD, path, false);
}

long sys_rmdir(u64 path)
{
	return unlink_at(AT_FDCWD, path, true);
}
