/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on two names: rename and link. Both must lie on the same side. */
#include <linux/fs.h>

#include "fsnotify.h"
#include "hostfs.h"
#include "kept.h"
#include "kept_programs.h"
#include "mounts.h"
#include "names.h"
#include "syscall.h"
#include "vfs_impl.h"

struct two_names {
	struct name from, to;
	u32 cmd, flags;
};

/* In a tree of mounts: both names must be of one, which can be written to. */
static int two_mounts(const struct two_names *t)
{
	const struct name *from = &t->from, *to = &t->to;

	bool read_only = to->mnt && (to->mnt->flags & MS_RDONLY);

	if (!from->tree)
		return 0;
	if (t->cmd == PV_LINK && !from->kind)
		return -ENOENT;
	if (t->cmd == PV_LINK && (to->kind || read_only))
		return to->kind ? -EEXIST : -EROFS;
	if (from->mnt != to->mnt)
		return -EXDEV;
	return read_only ? -EROFS : 0;
}

/* One PV call with both paths; the answer may be that either of them enters a guest-side mount. */
static s64 host_two(struct two_names *t, struct name **crossed)
{
	struct pv_slot s;
	s64 r = two_mounts(t);

	if (r)
		return r;
	if (t->cmd == PV_RENAME) {
		kept_forget(t->to.text, strlen(t->to.text));
		programs_forget(t->to.text, strlen(t->to.text));
	}
	host_begin(&s, t->cmd, &t->from);
	s.req.u.path.flags = t->flags | (s.req.u.path.flags & PV_AT_EMPTY);
	s.req.u.path.dir2 = t->to.dir;
	if (!host_path2(&s, t->to.text, strlen(t->to.text))) {
		host_end(&s);
		return -ENAMETOOLONG;
	}
	names_changing(false);
	r = mc_pv_call(&s);
	names_changed(false);
	stat_runs_changed();
	if (r == PV_CROSS) {
		*crossed = s.rsp.flags & PV_CROSSED_PATH2 ? &t->to : &t->from;
		r = name_restart(*crossed, (const char *)s.buf, s.rsp.val);
		r = r ? r : PV_CROSS;
	}
	host_end(&s);
	return r;
}

/*
 * One name is the host's and one ours. But the host's may lead into a guest-side mount by a link:
 * asked to rename it to itself, which changes nothing, the hypervisor tells.
 */
static s64 host_probe(struct two_names *t, struct name **crossed)
{
	struct name *n = t->from.host ? &t->from : &t->to;
	struct pv_slot s;
	s64 r = -EXDEV;

	host_begin(&s, PV_RENAME, n);
	s.req.u.path.flags = 0;
	s.req.u.path.dir2 = n->dir;
	if (host_path2(&s, n->text, strlen(n->text)) && mc_pv_call(&s) == PV_CROSS) {
		*crossed = n;
		r = name_restart(n, (const char *)s.buf, s.rsp.val);
		r = r ? r : PV_CROSS;
	}
	host_end(&s);
	return r;
}

/* One side is the host's, the other ours. */
static s64 mixed(struct two_names *t, struct name **crossed)
{
	const struct name *ours = t->from.host ? &t->to : &t->from;

	if (!t->from.tree)
		return host_probe(t, crossed);
	if (ours->inode && !ours->last_len && (ours->flags & NAME_PARENT)) /* a mount's root */
		return t->cmd == PV_LINK ? -EEXIST : -EBUSY;
	return -EXDEV;
}

static s64 run_two(struct two_names *t, s64 (*guest)(struct two_names *t))
{
	struct name *crossed = NULL;
	s64 r = name_walk(&t->from);

	if (!r)
		r = name_walk(&t->to);
	while (!r) {
		if (t->from.host != t->to.host)
			r = mixed(t, &crossed);
		else
			r = t->from.host ? host_two(t, &crossed) : guest(t);
		if (r != PV_CROSS)
			break;
		r = name_walk(crossed);
	}
	name_done(&t->from);
	name_done(&t->to);
	return r;
}

/* ---- rename ---- */

static struct mutex rename_lock; /* of guest file systems: two directories at once, and no loops */

static int may_rename(struct two_names *t)
{
	struct name *from = &t->from, *to = &t->to;
	int r;

	if (!from->last_len || !to->last_len)
		return -EBUSY;
	if (!from->inode)
		return -ENOENT;
	if (from->mnt != to->mnt)
		return -EXDEV;
	if ((from->slash || (to->slash && !(t->flags & RENAME_EXCHANGE))) &&
	    !S_ISDIR(from->inode->mode))
		return -ENOTDIR;
	r = dir_may_change(from->parent, from->mnt);
	if (!r)
		r = dir_may_change(to->parent, to->mnt);
	if (!r)
		r = dir_may_remove(from->parent, from->inode);
	if (!r && to->inode)
		r = dir_may_remove(to->parent, to->inode);
	return r;
}

static void renamed(struct two_names *t)
{
	struct name *from = &t->from, *to = &t->to;
	u32 dir = S_ISDIR(from->inode->mode) ? IN_ISDIR : 0, cookie = fsnotify_cookie();

	fsnotify_name(from->parent, IN_MOVED_FROM | dir, from->last, from->last_len, cookie);
	fsnotify_name(to->parent, IN_MOVED_TO | dir, to->last, to->last_len, cookie);
	fsnotify_inode(from->inode, IN_MOVE_SELF);
	if (to->inode && !(t->flags & RENAME_EXCHANGE))
		fsnotify_inode(to->inode, to->inode->nlink ? IN_ATTRIB : IN_DELETE_SELF);
}

static int rename_locked(struct two_names *t)
{
	struct inode *a = t->from.parent, *b = t->to.parent, *second = a < b ? b : a;
	int r;

	guard(&rename_lock);
	guard(a < b ? &a->lock : &b->lock);
	if (a != b)
		mutex_lock(&second->lock);
	r = a->ops->rename(a, t->from.last, t->from.last_len, b, t->to.last, t->to.last_len,
			   t->flags);
	if (a != b)
		mutex_unlock(&second->lock);
	return r;
}

static s64 guest_rename(struct two_names *t)
{
	int r = may_rename(t);

	if (r)
		return r;
	if (!t->from.parent->ops->rename)
		return -EPERM;
	r = rename_locked(t);
	if (!r)
		renamed(t);
	return r;
}

long sys_renameat2(u64 dirfd, u64 upath, u64 dirfd2, u64 upath2, u64 uflags)
{
	char *path __name = getname(upath), *path2 __name = getname(upath2);
	struct two_names t = {.cmd = PV_RENAME, .flags = uflags};

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (IS_ERR(path2))
		return PTR_ERR(path2);
	if (t.flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((t.flags & RENAME_EXCHANGE) && (t.flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	name_at(&t.from, (int)dirfd, path, NAME_PARENT | NAME_NOFOLLOW);
	name_at(&t.to, (int)dirfd2, path2, NAME_PARENT | NAME_NOFOLLOW);
	return run_two(&t, guest_rename);
}

long sys_renameat(u64 dirfd, u64 path, u64 dirfd2, u64 path2)
{
	return sys_renameat2(dirfd, path, dirfd2, path2, 0);
}

long sys_rename(u64 path, u64 path2)
{
	return sys_renameat2(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

/* ---- link ---- */

static s64 guest_link(struct two_names *t)
{
	struct name *from = &t->from, *to = &t->to;
	int r;

	if (to->inode)
		return -EEXIST;
	if (!from->inode)
		return -ENOENT;
	if (from->mnt != to->mnt || !from->mnt)
		return -EXDEV;
	if (S_ISDIR(from->inode->mode))
		return -EPERM;
	r = dir_may_change(to->parent, to->mnt);
	if (r)
		return r;
	if (!to->parent->ops->link)
		return -EPERM;
	mutex_lock(&to->parent->lock);
	r = to->parent->ops->link(to->parent, to->last, to->last_len, from->inode);
	mutex_unlock(&to->parent->lock);
	if (!r) {
		fsnotify_name(to->parent, IN_CREATE, to->last, to->last_len, 0);
		fsnotify_inode(from->inode, IN_ATTRIB);
	}
	return r;
}

long sys_linkat(u64 dirfd, u64 upath, u64 dirfd2, u64 upath2, u64 uflags)
{
	char *path __name = getname_flags(upath, uflags), *path2 __name = getname(upath2);
	struct two_names t = {.cmd = PV_LINK};
	u32 flags = uflags, from_flags = 0;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (IS_ERR(path2))
		return PTR_ERR(path2);
	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_SYMLINK_FOLLOW)
		t.flags |= PV_AT_FOLLOW;
	else
		from_flags |= NAME_NOFOLLOW;
	if (flags & AT_EMPTY_PATH)
		from_flags |= NAME_EMPTY;
	name_at(&t.from, (int)dirfd, path, from_flags);
	name_at(&t.to, (int)dirfd2, path2, NAME_PARENT | NAME_NOFOLLOW);
	return run_two(&t, guest_link);
}

long sys_link(u64 path, u64 path2)
{
	return sys_linkat(AT_FDCWD, path, AT_FDCWD, path2, 0);
}
