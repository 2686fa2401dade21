/* SPDX-License-Identifier: Apache-2.0 */
/* Where a name starts, who resolves it, and what happens when the walk changes sides. */
#include <linux/openat2.h>

#include "hostfs.h"
#include "mounts.h"
#include "vfs_impl.h"

/* ---- user strings ---- */

#define SHORT_NAME 240

char *getname(uaddr_t path)
{
	char *name = kmalloc(SHORT_NAME);
	s64 len;

	if (!name)
		return ERR_PTR(-ENOMEM);
	len = mc_strncpy_from_user(name, path, SHORT_NAME);
	if (len == -ENAMETOOLONG) {
		kfree(name);
		name = kmalloc(PATH_MAX);
		if (!name)
			return ERR_PTR(-ENOMEM);
		len = mc_strncpy_from_user(name, path, PATH_MAX);
	}
	if (len >= 0)
		return name;
	kfree(name);
	return ERR_PTR(len);
}

char *getname_flags(uaddr_t path, u64 at_flags)
{
	char *empty;

	if (path || !(at_flags & AT_EMPTY_PATH))
		return getname(path);
	empty = kzalloc(1);
	return empty ? empty : ERR_PTR(-ENOMEM);
}

/* ---- places ---- */

void path_put(struct path *p)
{
	inode_put(p->inode);
	mount_put(p->mnt);
	kfree(p->name);
	memset(p, 0, sizeof(*p));
}

void path_copy(struct path *to, const struct path *from)
{
	*to = *from;
	mount_get(to->mnt);
	if (to->inode)
		inode_get(to->inode);
	if (to->name)
		to->name = kstrdup(to->name);
}

/* A host directory's text is not kept: it may be renamed. Relative names go by its handle. */
static void borrow(struct path *to, const struct path *from, bool ref)
{
	*to = *from;
	if (!ref)
		return;
	mount_get(to->mnt);
	if (to->inode)
		inode_get(to->inode);
	to->name = to->inode && !inode_is_host(to->inode) && from->name ? kstrdup(from->name)
									: NULL;
}

static bool is_container_root(const struct path *p)
{
	return inode_is_host(p->inode) && !p->inode->handle;
}

/* The caller's root (if it is not the container's) and working directory. */
static void take_context(struct name *n, bool want_cwd)
{
	struct fs_ctx *fs = current->fs;
	bool shared = ref_read(&fs->ref) != 1;

	if (shared)
		mutex_lock(&fs->lock);
	n->base_ref = shared;
	n->tree = fs->mnt_ns->dynamic || (n->flags & NAME_TREE);
	if (n->tree || !is_container_root(&fs->root))
		borrow(&n->root, &fs->root, shared);
	if (want_cwd)
		borrow(&n->base, &fs->cwd, shared);
	if (shared)
		mutex_unlock(&fs->lock);
}

/* The directory that a descriptor is. Its reference is kept by n. */
static int take_dirfd(struct name *n, int dirfd)
{
	struct file *f = fd_get(dirfd);
	int r = 0;

	if (!f)
		return -EBADF;
	if (!f->inode || (*n->text && !S_ISDIR(f->inode->mode))) {
		r = -ENOTDIR;
	} else {
		n->base.mnt = mount_get(f->mnt);
		n->base.inode = inode_get(f->inode);
		n->base.name = f->name ? kstrdup(f->name) : NULL;
		if (n->root.inode && !n->base_ref) {
			mount_get(n->root.mnt);
			inode_get(n->root.inode);
			n->root.name = n->root.name ? kstrdup(n->root.name) : NULL;
		}
		n->base_ref = true;
	}
	file_put(f);
	return r;
}

void name_at(struct name *n, int dirfd, const char *path, u32 flags)
{
	memset(n, 0, sizeof(*n));
	n->text = path;
	n->flags = flags;
	if (!*path && !(flags & NAME_EMPTY)) {
		n->err = -ENOENT;
		return;
	}
	take_context(n, *path != '/' && dirfd == AT_FDCWD);
	if (*path != '/' && dirfd != AT_FDCWD)
		n->err = take_dirfd(n, dirfd);
}

void name_file(struct name *n, struct file *f)
{
	memset(n, 0, sizeof(*n));
	n->text = "";
	n->flags = NAME_EMPTY;
	n->tree = f->mnt && mnt_ns_current()->dynamic;
	if (!f->inode) {
		n->err = -EINVAL;
		return;
	}
	n->base.mnt = f->mnt;
	n->base.inode = f->inode;
	n->base.name = f->name;
}

static void drop_result(struct name *n)
{
	inode_put(n->inode);
	inode_put(n->parent);
	mount_put(n->mnt);
	n->inode = n->parent = NULL;
	n->mnt = NULL;
	n->host = false;
	n->dir = 0;
	n->last = NULL;
	n->last_len = 0;
	n->slash = false;
	n->whole = false;
}

void name_done(struct name *n)
{
	drop_result(n);
	kfree(n->owned);
	kfree(n->canon);
	if (n->base_ref) {
		path_put(&n->base);
		path_put(&n->root);
	}
}

int name_restart(struct name *n, const char *text, size_t len)
{
	char *copy;

	if (++n->hops > NAME_MAX_HOPS)
		return -ELOOP;
	if (n->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_NO_XDEV))
		return -EXDEV;
	if (!len || len > PATH_MAX - 1)
		return -ENAMETOOLONG;
	copy = kstrndup(text, len);
	if (!copy)
		return -ENOMEM;
	kfree(n->owned);
	n->owned = copy;
	n->text = copy;
	n->absolute = true;
	return 0;
}

/* ---- the walk ---- */

static int at_host(struct name *n, u32 dir)
{
	n->host = true;
	n->dir = dir;
	return 0;
}

/* In the tree: from a directory of the host, whose place it says itself, or of the guest. */
static int walk_tree(struct name *n, struct path *from)
{
	char *text = NULL;
	struct mount *mnt;
	int r;

	if (!inode_is_host(from->inode))
		return walk_from(n, from->mnt, from->inode, from->name ? from->name : "", n->text);
	text = from->inode->handle ? host_path_of(from->inode->handle) : kstrdup("");
	if (!text || IS_ERR(text))
		return text ? (int)PTR_ERR(text) : -ENOMEM;
	mnt = mount_settle(mount_get(from->mnt), text);
	r = walk_from(n, mnt, from->inode, text, n->text);
	mount_put(mnt);
	kfree(text);
	return r;
}

/* An absolute name: of the container, or below the caller's own root directory. */
static int walk_absolute(struct name *n)
{
	const char *rest;
	struct mount *m;

	if ((n->resolve & RESOLVE_BENEATH) && !n->absolute)
		return -EXDEV;
	if (n->tree)
		return walk_tree(n, n->resolve & RESOLVE_IN_ROOT ? &n->base : &n->root);
	if (!n->absolute && path_is_set(&n->root)) {
		if (inode_is_host(n->root.inode))
			return at_host(n, 0);
		return walk_from(n, n->root.mnt, n->root.inode, n->root.name, n->text);
	}
	m = mount_match(n->text, &rest);
	if (!m)
		return at_host(n, 0);
	if (inode_is_host(m->root)) {
		while (*rest == '/')
			rest++;
		n->text = rest;
		return at_host(n, m->root->handle);
	}
	return walk_from(n, m, m->root, m->base, rest);
}

/* The mount of a descriptor's object. One that was opened before mounts were made here may lie in a mount of the host's. */
static void open_place(struct name *n)
{
	struct mount *m = mount_get(n->base.mnt);

	if (m && m->flags && !list_empty(&m->children) && n->base.inode->handle) {
		char *text = host_path_of(n->base.inode->handle);

		if (text && !IS_ERR(text)) {
			m = mount_settle(m, text);
			kfree(text);
		}
	}
	n->mnt = m;
	n->kind = n->base.inode->mode;
}

static int walk_relative(struct name *n)
{
	struct path *base = &n->base;

	if (inode_is_host(base->inode) && (!n->tree || !*n->text)) {
		if (n->tree)
			open_place(n);
		return at_host(n, base->inode->handle);
	}
	if (n->tree)
		return walk_tree(n, base);
	return walk_from(n, base->mnt, base->inode, base->name ? base->name : "", n->text);
}

int name_walk(struct name *n)
{
	int r = n->err;

	while (!r) {
		drop_result(n);
		n->start = n->text;
		r = *n->text == '/' ? walk_absolute(n) : walk_relative(n);
		if (r != WALK_RESTART)
			break;
		r = 0;
	}
	return r;
}

s64 name_run(struct name *n, name_fn host, name_fn guest, void *arg)
{
	s64 r;

	do {
		r = name_walk(n);
		if (!r)
			r = n->host ? host(n, arg) : guest(n, arg);
	} while (r == PV_CROSS);
	name_done(n);
	return r;
}
