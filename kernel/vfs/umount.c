/* SPDX-License-Identifier: Apache-2.0 */
/* umount2(2), pivot_root(2). */
#include "cred.h"
#include "hostfs.h"
#include "mount_impl.h"
#include "syscall.h"
#include "vfs_impl.h"

#define MNT_FORCE	1u
#define MNT_DETACH	2u
#define MNT_EXPIRE	4u
#define UMOUNT_NOFOLLOW 8u

/* ---- umount ---- */

/* With mounts_lock. The caller's own reference is one. */
static bool busy(struct mount *m)
{
	u32 held = __atomic_load_n(&m->held, __ATOMIC_RELAXED);

	return !list_empty(&m->children) || ref_read(&m->ref) > held + 1;
}

static int umount_locked(struct mount *m, u32 flags, struct list_head *gone)
{
	struct mnt_ns *ns = m->ns;

	if (m->parent == m)
		return flags & MNT_DETACH ? -EINVAL : -EBUSY;
	if ((flags & MNT_EXPIRE) && (flags & (MNT_FORCE | MNT_DETACH)))
		return -EINVAL;
	if (!(flags & MNT_DETACH) && busy(m))
		return -EBUSY;
	if ((flags & MNT_EXPIRE) && !m->expired) {
		m->expired = true;
		return -EAGAIN;
	}
	ns->dynamic = true;
	propagate_umount(m, gone);
	mount_detach(m, gone);
	mount_tree_changed(ns);
	return 0;
}

static int umount_place(const struct path *p, u32 flags)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	int r;

	if (!may_mount())
		return -EPERM;
	if (!place_is_mount(p))
		return -EINVAL;
	mutex_lock(&mounts_lock);
	if (!place_is_ours(p) || (p->mnt->locked & MNT_LOCKED))
		r = -EINVAL;
	else
		r = umount_locked(p->mnt, flags, &gone);
	mutex_unlock(&mounts_lock);
	mounts_put(&gone);
	return r;
}

long sys_umount2(u64 target, u64 flags)
{
	char *path __name = NULL;
	struct path p;
	int r;

	if ((u32)flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	path = getname(target);
	if (IS_ERR(path))
		return PTR_ERR(path);
	r = mount_lookup(path, flags & UMOUNT_NOFOLLOW ? NAME_NOFOLLOW : 0, &p);
	if (r)
		return r;
	place_descend(&p);
	r = umount_place(&p, (u32)flags);
	path_put(&p);
	return r;
}

/* ---- pivot_root ---- */

/* Directories of processes that are the old root become the new one. */
struct swap {
	const struct path *from, *to;
};

static void swap_path(struct path *p, const struct swap *s)
{
	struct path was = *p;

	if (p->mnt != s->from->mnt || !inode_same(p->inode, s->from->inode))
		return;
	path_copy(p, s->to);
	path_put(&was);
}

static void swap_fs(struct fs_ctx *fs, const struct swap *s)
{
	guard(&fs->lock);
	swap_path(&fs->root, s);
	swap_path(&fs->cwd, s);
}

static int swap_process(struct process *p, void *arg)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (t->fs)
			swap_fs(t->fs, arg);
	return 0;
}

/* A place inside its own namespace's tree, seen from root: is it below? */
static bool reachable(const struct path *p, const struct path *root)
{
	bool reached;

	kfree(mount_path_locked(p->mnt, p->name, root, &reached));
	return reached;
}

static int pivot_valid(const struct path *root, const struct path *new, const struct path *old)
{
	struct mount *r = root->mnt, *n = new->mnt, *o = old->mnt;

	if (o->peers || (n->parent != n && n->parent->peers) || (r->parent != r && r->parent->peers))
		return -EINVAL;
	if (!place_is_ours(root) || !place_is_ours(new) || !place_is_ours(old) || (n->locked & MNT_LOCKED))
		return -EINVAL;
	if (n == r || o == r)
		return -EBUSY;
	if (!mount_at_base(r, root->name) || !mount_at_base(n, new->name) || n->parent == n)
		return -EINVAL;
	if (!reachable(old, new) || !reachable(new, root))
		return -EINVAL;
	return 0;
}

static int pivot(const struct path *root, const struct path *new, const struct path *old)
{
	struct mount *r = root->mnt, *n = new->mnt, *above = r->parent;
	struct mnt_ns *ns = n->ns;
	char *place = NULL;
	int err = pivot_valid(root, new, old);

	if (err)
		return err;
	if (above != r)
		place = kstrdup(r->place);
	if (r->locked & MNT_LOCKED) { /* it covers nothing any more; what is in its place now does */
		n->locked |= MNT_LOCKED;
		r->locked &= ~MNT_LOCKED;
	}
	mount_unlink(n);
	mount_unlink(r);
	err = mount_link(r, old->mnt, old->name);
	if (!err && above != r)
		err = place ? mount_link(n, above, place) : -ENOMEM;
	else if (!err)
		ns->root = n;
	kfree(place);
	if (err)
		panic("no memory to exchange the root directory");
	ns->dynamic = true;
	mount_tree_changed(ns);
	return 0;
}

static void own_root(struct path *out)
{
	struct fs_ctx *fs = current->fs;

	mutex_lock(&fs->lock);
	path_copy(out, &fs->root);
	mutex_unlock(&fs->lock);
	if (out->name && !strcmp(out->name, "/"))
		out->name[0] = '\0';
}

static int pivot_places(const struct path *new, const struct path *old)
{
	struct path root = {};
	struct swap s = {.from = &root, .to = new};
	int r;

	if (!S_ISDIR(new->inode->mode) || !S_ISDIR(old->inode->mode))
		return -ENOTDIR;
	own_root(&root);
	if (!root.name)
		return -ENOMEM;
	mutex_lock(&mounts_lock);
	r = pivot(&root, new, old);
	mutex_unlock(&mounts_lock);
	if (!r) {
		guard(&tasklist_lock);
		for_each_process(swap_process, &s);
	}
	path_put(&root);
	return r;
}

long sys_pivot_root(u64 unew, u64 uold)
{
	char *new_name __name = getname(unew), *old_name __name = getname(uold);
	struct path new, old;
	int r;

	if (!may_mount())
		return -EPERM;
	if (IS_ERR(new_name))
		return PTR_ERR(new_name);
	r = mount_lookup(new_name, 0, &new);
	if (r)
		return r;
	r = IS_ERR(old_name) ? (int)PTR_ERR(old_name) : mount_lookup(old_name, 0, &old);
	if (!r) {
		place_descend(&old);
		r = pivot_places(&new, &old);
		path_put(&old);
	}
	path_put(&new);
	return r;
}
