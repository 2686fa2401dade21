/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts by descriptors: open_tree, move_mount, fsmount, mount_setattr. What fsmount takes is made in fs_context.c. */
#include <linux/openat2.h>

#include "mount_impl.h"
#include "fs_context.h"
#include "hostfs.h"
#include "syscall.h"
#include "vfs_impl.h"

#define AT_RECURSIVE_FLAG 0x8000u
#define AT_COMMON ((u32)(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW))
#define ATTR_ATIME_MASK	  0x70u
#define ATTR_KNOWN                                                                                 \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | ATTR_ATIME_MASK |  \
	 MOUNT_ATTR_NODIRATIME | 0x00200000u /* NOSYMFOLLOW */)
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define ATIME	    (MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME)

/* ---- descriptors of mounts that are in no tree yet ---- */

struct detached {
	struct mount *m; /* with those below it; a reference. NULL: it is in a tree now */
};

static void detached_release(struct file *f)
{
	struct detached *d = f->priv;
	struct list_head gone = LIST_HEAD_INIT(gone);

	if (d->m) {
		mutex_lock(&mounts_lock);
		d->m->held++; /* which mount_detach() takes back: it never was attached */
		mount_detach(d->m, &gone);
		mutex_unlock(&mounts_lock);
		mounts_put(&gone);
	}
	kfree(d);
}

static const struct file_ops detached_ops = {
	.release = detached_release,
};

/* Takes over the reference to m. */
static int detached_fd(struct mount *m, bool cloexec)
{
	struct detached *d = kzalloc(sizeof(*d));
	struct file *f = d ? file_new(&detached_ops, O_PATH, FMODE_PATH) : NULL;

	if (!f) {
		kfree(d);
		mount_put(m);
		return -ENOMEM;
	}
	d->m = m;
	f->priv = d;
	f->inode = inode_get(m->root);
	f->name = kstrdup(m->base);
	file_set_mount(f, m);
	return fd_install(f, cloexec);
}

/* ---- flags ---- */

u32 mount_attr_flags(u64 attr)
{
	u32 flags = 0;

	flags |= attr & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0;
	flags |= attr & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0;
	flags |= attr & MOUNT_ATTR_NODEV ? MS_NODEV : 0;
	flags |= attr & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0;
	flags |= attr & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0;
	flags |= attr & 0x00200000u ? MS_NOSYMFOLLOW : 0;
	if ((attr & ATTR_ATIME_MASK) == MOUNT_ATTR_NOATIME)
		flags |= MS_NOATIME;
	if ((attr & ATTR_ATIME_MASK) == MOUNT_ATTR_STRICTATIME)
		flags |= MS_STRICTATIME;
	return flags;
}

static bool atime_is_one(u64 attr)
{
	u64 a = attr & ATTR_ATIME_MASK;

	return a == MOUNT_ATTR_RELATIME || a == MOUNT_ATTR_NOATIME || a == MOUNT_ATTR_STRICTATIME;
}

/* ---- fsmount ---- */

long sys_fsmount(u64 fd, u64 flags, u64 attr)
{
	struct mount *m;

	if (!may_mount())
		return -EPERM;
	if ((u32)flags & ~(u32)FSMOUNT_CLOEXEC || (u32)attr & ~ATTR_KNOWN || !atime_is_one((u32)attr))
		return -EINVAL;
	m = fs_context_take((int)fd);
	if (IS_ERR(m))
		return PTR_ERR(m);
	m->flags |= mount_attr_flags((u32)attr);
	return detached_fd(m, flags & FSMOUNT_CLOEXEC);
}

/* ---- open_tree ---- */

static u32 name_flags(u32 at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : 0) | (at & AT_EMPTY_PATH ? NAME_EMPTY : 0);
}

static long clone_tree(int dirfd, const char *path, u32 flags)
{
	struct mount *m;
	struct path from;
	int r;

	r = mount_lookup_at(dirfd, path, name_flags(flags), &from);
	if (r)
		return r;
	m = bind_copy(&from, flags & AT_RECURSIVE_FLAG);
	path_put(&from);
	if (IS_ERR(m))
		return PTR_ERR(m);
	return detached_fd(m, flags & OPEN_TREE_CLOEXEC);
}

long sys_open_tree(u64 dirfd, u64 upath, u64 flags_arg)
{
	u32 flags = (u32)flags_arg;
	char *path __name = NULL;
	struct file *f;

	if (flags & ~(AT_COMMON | AT_RECURSIVE_FLAG | OPEN_TREE_CLONE | (u32)OPEN_TREE_CLOEXEC))
		return -EINVAL;
	if ((flags & (AT_RECURSIVE_FLAG | OPEN_TREE_CLONE)) == AT_RECURSIVE_FLAG)
		return -EINVAL;
	if ((flags & OPEN_TREE_CLONE) && !may_mount())
		return -EPERM;
	path = getname_flags(upath, flags);
	if (IS_ERR(path))
		return PTR_ERR(path);
	if (flags & OPEN_TREE_CLONE)
		return clone_tree((int)dirfd, path, flags);
	if (!*path && (flags & AT_EMPTY_PATH)) {
		f = (int)dirfd == AT_FDCWD ? vfs_open(AT_FDCWD, ".", O_PATH, 0) : fd_get((int)dirfd);
		return !f ? -EBADF : IS_ERR(f) ? PTR_ERR(f) : fd_install(f, flags & OPEN_TREE_CLOEXEC);
	}
	f = vfs_open((int)dirfd, path, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
	return IS_ERR(f) ? PTR_ERR(f) : fd_install(f, flags & OPEN_TREE_CLOEXEC);
}

/* ---- move_mount ---- */

#define FROM_EMPTY(flags) ((flags) & MOVE_MOUNT_F_EMPTY_PATH ? NAME_EMPTY : 0)

static long attach(struct detached *d, const struct path *to)
{
	struct mount *m;

	mutex_lock(&mounts_lock);
	m = d->m;
	d->m = NULL;
	mutex_unlock(&mounts_lock);
	return m ? mount_graft(m, to) : -EINVAL;
}

static long move_existing(int dirfd, const char *path, u32 flags, const struct path *to)
{
	struct path from;
	int r = mount_lookup_at(dirfd, path, (flags & MOVE_MOUNT_F_SYMLINKS ? 0 : NAME_NOFOLLOW) | FROM_EMPTY(flags), &from);

	if (r)
		return r;
	r = place_is_mount(&from) ? mount_move(from.mnt, to) : -EINVAL;
	path_put(&from);
	return r;
}

static long move_to(int from_fd, const char *from, const struct path *to, u32 flags)
{
	struct file *f __file = !*from && (flags & MOVE_MOUNT_F_EMPTY_PATH) ? fd_get(from_fd) : NULL;

	if (f && f->ops == &detached_ops && ((struct detached *)f->priv)->m)
		return attach(f->priv, to);
	return move_existing(from_fd, from, flags, to);
}

long sys_move_mount(u64 from_fd, u64 ufrom, u64 to_fd, u64 uto, u64 flags_arg)
{
	u32 flags = (u32)flags_arg;
	char *from __name = NULL, *to __name = NULL;
	struct path at;
	long r;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(u32)MOVE_MOUNT__MASK || flags & MOVE_MOUNT_SET_GROUP)
		return -EINVAL;
	from = getname_flags(ufrom, flags & MOVE_MOUNT_F_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	if (IS_ERR(from))
		return PTR_ERR(from);
	to = getname_flags(uto, flags & MOVE_MOUNT_T_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	if (IS_ERR(to))
		return PTR_ERR(to);
	r = mount_lookup_at((int)to_fd, to, (flags & MOVE_MOUNT_T_SYMLINKS ? 0 : NAME_NOFOLLOW) |
			    (flags & MOVE_MOUNT_T_EMPTY_PATH ? NAME_EMPTY : 0), &at);
	if (r)
		return r;
	place_descend(&at);
	r = move_to((int)from_fd, from, &at, flags);
	path_put(&at);
	return r;
}

/* ---- mount_setattr ---- */

static u32 changed_flags(const struct mount *m, const struct mount_attr *a)
{
	u32 flags = m->flags;

	if (a->attr_clr & ATTR_ATIME_MASK)
		flags &= ~(u32)(MS_NOATIME | MS_STRICTATIME);
	flags &= ~mount_attr_flags(a->attr_clr & ~(u64)ATTR_ATIME_MASK);
	return flags | mount_attr_flags(a->attr_set);
}

/* Of all of them before any is changed. */
static int check_tree(struct mount *m, const struct mount_attr *a, bool recurse)
{
	u32 flags = changed_flags(m, a);
	struct mount *c;
	int r = 0;

	if (m->flags & m->locked & ~flags & MOUNT_ENFORCED)
		return -EPERM;
	if ((flags & ~m->flags & MS_RDONLY) && __atomic_load_n(&m->writers, __ATOMIC_ACQUIRE))
		return -EBUSY;
	if (recurse)
		list_for_each(c, &m->children, sibling)
			if (!r)
				r = check_tree(c, a, true);
	return r;
}

static void change_tree(struct mount *m, const struct mount_attr *a, bool recurse)
{
	struct mount *c;

	m->flags = changed_flags(m, a);
	if (a->propagation)
		propagation_change(m, (u32)a->propagation);
	if (recurse)
		list_for_each(c, &m->children, sibling)
			change_tree(c, a, true);
}

static int set_attr(const struct path *p, const struct mount_attr *a, bool recurse)
{
	struct mount *m = p->mnt;
	int r;

	if (!place_is_mount(p))
		return -EINVAL;
	guard(&mounts_lock);
	if (m->ns && !place_is_ours(p))
		return -EINVAL;
	r = check_tree(m, a, recurse);
	if (r)
		return r;
	change_tree(m, a, recurse);
	if (m->ns) {
		m->ns->dynamic = true;
		mount_tree_changed(m->ns);
	}
	return 0;
}

static int check_attr(const struct mount_attr *a)
{
	u64 p = a->propagation;

	if ((a->attr_set | a->attr_clr) & ~(u64)ATTR_KNOWN) /* MOUNT_ATTR_IDMAP too: no file system here has it */
		return -EINVAL;
	if (p & ~(u64)PROPAGATION || (p & (p - 1)))
		return -EINVAL;
	if (a->attr_clr & ATTR_ATIME_MASK)
		return (a->attr_clr & ATTR_ATIME_MASK) == ATTR_ATIME_MASK && atime_is_one(a->attr_set) ? 0 : -EINVAL;
	return a->attr_set & ATTR_ATIME_MASK ? -EINVAL : 0;
}

/* The caller's structure may be longer than ours by zeros. */
static int take_attr(struct mount_attr *a, uaddr_t from, u64 size)
{
	u8 more;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < sizeof(*a))
		return -EINVAL;
	if (!may_mount())
		return -EPERM;
	if (mc_copy_from_user(a, from, sizeof(*a)))
		return -EFAULT;
	for (u64 i = sizeof(*a); i < size; i++) {
		if (mc_copy_from_user(&more, from + i, 1))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	return 0;
}

long sys_mount_setattr(u64 dirfd, u64 upath, u64 flags_arg, u64 uattr, u64 size)
{
	u32 flags = (u32)flags_arg;
	char *path __name = NULL;
	struct mount_attr a;
	struct path p;
	int r;

	if (flags & ~(AT_COMMON | AT_RECURSIVE_FLAG))
		return -EINVAL;
	r = take_attr(&a, uattr, size);
	if (r)
		return r;
	if (!a.attr_set && !a.attr_clr && !a.propagation)
		return 0;
	r = check_attr(&a);
	if (r)
		return r;
	path = getname_flags(upath, flags);
	if (IS_ERR(path))
		return PTR_ERR(path);
	r = mount_lookup_at((int)dirfd, path, name_flags(flags), &p);
	if (r)
		return r;
	r = set_attr(&p, &a, flags & AT_RECURSIVE_FLAG);
	path_put(&p);
	return r;
}
