/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2) of what there is already: bind, move, remount. */
#include "mount_impl.h"
#include "hostfs.h"
#include "vfs_impl.h"

#define ATIME	 (MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME)

/* ---- bind ---- */

/* Without its submounts it would show what they cover. */
static bool covers_locked(const struct path *p)
{
	struct mount *c;

	list_for_each(c, &p->mnt->children, sibling)
		if (c->root && (c->locked & MNT_LOCKED) && place_below(c->place, p->name))
			return true;
	return false;
}

/* A file of a mount namespace that could in turn keep this one. */
static bool keeps_this(const struct path *p)
{
	struct ns *ns = ns_of_inode(p->inode);

	return ns && ns->kind == NS_MNT && ns->inum <= mnt_ns_current()->ns.inum;
}

struct mount *bind_copy(const struct path *from, bool recurse)
{
	struct mount *m = from->mnt, *copy;

	if (keeps_this(from))
		return ERR_PTR(-EINVAL);
	guard(&mounts_lock);
	if ((!place_is_ours(from) && (!m || m->type != &nsfs_type)) || m->unbindable || (!recurse && covers_locked(from)))
		return ERR_PTR(-EINVAL);
	if (recurse) {
		copy = mount_copy_tree(m, from->inode, from->name, false);
	} else {
		copy = mount_clone(m, from->inode, from->name);
		if (copy) {
			copy->peers = m->peers;
			copy->master = m->master;
		}
	}
	if (!copy)
		return ERR_PTR(-ENOMEM);
	copy->locked &= ~MNT_LOCKED;
	return copy;
}

int do_bind(const struct path *to, const char *source, bool recurse)
{
	struct mount *m;
	struct path from;
	int r;

	if (!source || !*source)
		return -EINVAL;
	r = mount_lookup(source, 0, &from);
	if (r)
		return r;
	m = bind_copy(&from, recurse);
	path_put(&from);
	return IS_ERR(m) ? (int)PTR_ERR(m) : mount_graft(m, to);
}

/* ---- move ---- */

static int move_locked(struct mount *m, const struct path *to)
{
	int r;

	if (m->ns != mnt_ns_current() || !place_is_ours(to))
		return -EINVAL;
	if (m->parent == m || m->parent->peers || (m->locked & MNT_LOCKED))
		return -EINVAL;
	if (!S_ISDIR(m->root->mode) != !S_ISDIR(to->inode->mode))
		return -ENOTDIR;
	if (mount_is_below(to->mnt, m))
		return -ELOOP;
	mount_unlink(m);
	r = mount_link(m, to->mnt, to->name);
	if (r)
		return r;
	if (to->mnt->peers)
		mount_share_tree(m);
	m->ns->dynamic = true;
	mount_tree_changed(m->ns);
	return propagate_mount(m);
}

int mount_move(struct mount *m, const struct path *to)
{
	guard(&mounts_lock);
	return move_locked(m, to);
}

int do_move(const struct path *to, const char *source)
{
	struct path from;
	int r;

	if (!source || !*source)
		return -EINVAL;
	r = mount_lookup(source, 0, &from);
	if (r)
		return r;
	r = place_is_mount(&from) ? mount_move(from.mnt, to) : -EINVAL;
	path_put(&from);
	return r;
}

/* ---- remount ---- */

static int set_flags(struct mount *m, u32 flags)
{
	u32 lost = m->flags & m->locked & ~flags & MOUNT_ENFORCED;

	if (lost)
		return -EPERM;
	if ((flags & ~m->flags & MS_RDONLY) && __atomic_load_n(&m->writers, __ATOMIC_ACQUIRE))
		return -EBUSY;
	if (!(flags & ATIME))
		flags |= m->flags & ATIME;
	m->flags = flags;
	m->ns->dynamic = true;
	mount_tree_changed(m->ns);
	return 0;
}

int do_remount(const struct path *p, u32 flags, bool bind, const char *options)
{
	struct mount *m = p->mnt;
	int r = 0;

	if (!place_is_mount(p))
		return -EINVAL;
	guard(&mounts_lock);
	if (!place_is_ours(p))
		return -EINVAL;
	if (!bind && options && !m->type->host) {
		r = mount_options_check(m->type->name, options);
		if (!r && m->type->remount)
			r = m->type->remount(m->sb, options);
	}
	return r ? r : set_flags(m, flags);
}
