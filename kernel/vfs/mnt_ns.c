/* SPDX-License-Identifier: Apache-2.0 */
/* Mount namespaces: mount_namespaces(7). */
#include "mnt_ns.h"

#include "mount_table.h"
#include "mounts.h"
#include "user_ns.h"
#include "vfs_impl.h"

struct list_head mnt_namespaces = LIST_HEAD_INIT(mnt_namespaces);
struct waitq mounts_changed = WAITQ_INIT(mounts_changed);
struct mnt_ns boot_ns = {
	.ns = NS_INIT(NS_MNT, 4026531841u),
	.node = LIST_HEAD_INIT(boot_ns.node),
	.mounts = LIST_HEAD_INIT(boot_ns.mounts),
};

struct mnt_ns *mnt_ns_current(void)
{
	return current->fs ? current->fs->mnt_ns : &boot_ns;
}

struct mnt_ns *mnt_ns_get(struct mnt_ns *ns)
{
	ns_get(&ns->ns);
	return ns;
}

void mnt_ns_put(struct mnt_ns *ns)
{
	if (ns)
		ns_put(&ns->ns);
}

static struct mnt_ns *mnt_ns_from(struct ns *ns)
{
	return container_of(ns, struct mnt_ns, ns);
}

void mnt_ns_free(struct ns *n)
{
	struct mnt_ns *ns = mnt_ns_from(n);
	struct list_head gone = LIST_HEAD_INIT(gone);

	mutex_lock(&mounts_lock);
	list_del(&ns->node);
	if (ns->root)
		mount_detach(ns->root, &gone);
	mutex_unlock(&mounts_lock);
	mounts_put(&gone);
	mount_table_free(ns);
	kfree(ns);
}

static struct mnt_ns *ns_new(struct user_ns *user)
{
	struct mnt_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return NULL;
	ns_init(&ns->ns, NS_MNT, user);
	list_init(&ns->node);
	list_init(&ns->mounts);
	return ns;
}

/* For a user namespace with fewer rights: it can't uncover anything, nor allow what is forbidden. */
static void lock_tree(struct mnt_ns *ns)
{
	struct mount *m;

	list_for_each(m, &ns->mounts, node) {
		m->locked |= MNT_LOCKED | (m->flags & MOUNT_ENFORCED);
		if (m->peers) {
			m->master = m->peers;
			m->peers = 0;
		}
	}
}

static void clear_copies(struct mnt_ns *ns)
{
	struct mount *m;

	list_for_each(m, &ns->mounts, node)
		m->copy = NULL;
}

/* The same place in the new namespace; what is in none stays where it is. */
static void move_path(struct path *p, const struct mnt_ns *from)
{
	struct mount *old = p->mnt;

	if (!old || old->ns != from || !old->copy)
		return;
	p->mnt = mount_get(old->copy);
	mount_put(old); /* its tree has it still: not the last reference */
}

static int fill(struct mnt_ns *ns, struct mnt_ns *from, struct fs_ctx *fs)
{
	struct mount *root;
	int r = 0;

	guard(&mounts_lock);
	root = mount_copy_tree(from->root, from->root->root, from->root->base, true);
	if (root) {
		mount_attach_root(root, ns);
		ns->dynamic = from->dynamic;
		r = ns->dynamic ? 0 : mount_table_make(ns);
	}
	if (root && !r) {
		if (ns_owner(&ns->ns) != ns_owner(&from->ns))
			lock_tree(ns);
		move_path(&fs->cwd, from);
		move_path(&fs->root, from);
		fs->mnt_ns = mnt_ns_get(ns);
		list_add_tail(&ns->node, &mnt_namespaces);
	}
	clear_copies(from);
	return root ? r : -ENOMEM;
}

struct ns *mnt_ns_copy(struct ns *old, struct user_ns *user, struct fs_ctx *fs)
{
	struct mnt_ns *from = fs->mnt_ns, *ns = ns_new(user);
	int r;

	if (!ns)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&fs->lock);
	r = fill(ns, from, fs);
	mutex_unlock(&fs->lock);
	if (r) {
		mnt_ns_put(ns);
		return ERR_PTR(r);
	}
	mnt_ns_put(from);
	return &ns->ns;
}

/* What a process sees as "/" that comes from outside. */
int mnt_ns_top(struct mnt_ns *ns, struct path *out)
{
	struct mount *m;

	mutex_lock(&mounts_lock);
	m = mount_get(ns->root);
	mutex_unlock(&mounts_lock);
	out->mnt = mount_child(m, m->base);
	if (out->mnt)
		mount_put(m);
	else
		out->mnt = m;
	out->inode = inode_get(out->mnt->root);
	out->name = kstrdup(out->mnt->base);
	if (out->name)
		return 0;
	path_put(out);
	return -ENOMEM;
}

int mnt_ns_enter(struct ns *n)
{
	struct mnt_ns *ns = mnt_ns_from(n);
	struct fs_ctx *fs = current->fs;
	struct path root = {}, cwd = {}, old_root, old_cwd;
	struct mnt_ns *old;
	int r = mnt_ns_top(ns, &root);

	if (r)
		return r;
	path_copy(&cwd, &root);
	mutex_lock(&fs->lock);
	old_root = fs->root;
	old_cwd = fs->cwd;
	old = fs->mnt_ns;
	fs->root = root;
	fs->cwd = cwd;
	fs->mnt_ns = mnt_ns_get(ns);
	mutex_unlock(&fs->lock);
	path_put(&old_root);
	path_put(&old_cwd);
	mnt_ns_put(old);
	return 0;
}

bool current_chrooted(void)
{
	struct fs_ctx *fs = current->fs;
	struct path top;
	bool chrooted;

	if (mnt_ns_top(fs->mnt_ns, &top))
		return true;
	mutex_lock(&fs->lock);
	chrooted = fs->root.mnt != top.mnt || !inode_same(fs->root.inode, top.inode);
	mutex_unlock(&fs->lock);
	path_put(&top);
	return chrooted;
}
