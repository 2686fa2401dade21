/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of names in an overlay. The vfs holds the directory's lock, or both, and has checked permissions. */
#include "overlay.h"

/* ---- in the upper directory ---- */

static int upper_unlink(struct inode *up, const char *name, size_t len, bool rmdir)
{
	guard(&up->lock);
	return up->ops->unlink(up, name, len, rmdir);
}

static int whiteout(struct inode *up, const char *name, size_t len)
{
	guard(&up->lock);
	return up->ops->create(up, name, len, S_IFCHR, 0, NULL);
}

/* A place for a new name: 1 if a whiteout had to go, or the name is in a lower layer. */
static int make_room(struct ovl_inode *dir, const char *name, size_t len)
{
	struct ovl_found *f = kmalloc(sizeof(*f));
	int r = f ? ovl_copy_up(dir, true) : -ENOMEM;
	bool hidden;

	if (!r) {
		r = ovl_find(dir, name, len, f);
		if (!r)
			ovl_found_put(f);
		r = r == -ENOENT ? 0 : r ? r : -EEXIST;
	}
	hidden = !r && f->whiteout;
	kfree(f);
	if (hidden)
		r = upper_unlink(ovl_upper(dir), name, len, false);
	return r ? r : hidden;
}

/* ---- making ---- */

static int new_inode(struct ovl_inode *dir, const char *name, size_t len, struct inode *upper, struct inode **out)
{
	struct ovl_found *f = kzalloc(sizeof(*f));
	struct ovl_inode *o;

	if (!f) {
		inode_put(upper);
		return -ENOMEM;
	}
	f->upper = upper;
	o = ovl_new(dir->sb, dir->i.mnt, dir, name, len, f);
	kfree(f);
	if (IS_ERR(o))
		return (int)PTR_ERR(o);
	*out = &o->i;
	return 0;
}

static int create_locked(struct ovl_inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
	struct inode *up, *made;
	int hidden = name ? make_room(dir, name, len) : ovl_copy_up(dir, true), r;

	if (hidden < 0)
		return hidden;
	up = ovl_upper(dir);
	mutex_lock(&up->lock);
	r = up->ops->create(up, name, len, mode, rdev, &made);
	mutex_unlock(&up->lock);
	if (r && hidden)
		whiteout(up, name, len);
	if (r)
		return r;
	if (hidden && S_ISDIR(mode))
		mem_inode(made)->opaque = true;
	if (out)
		return new_inode(dir, name, len, made, out);
	inode_put(made);
	return 0;
}

static int ovl_create(struct inode *i, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
	struct ovl_inode *dir = ovl_inode(i);

	if (S_ISCHR(mode) && !rdev)
		return -EPERM; /* it would be a whiteout */
	if (dir->gone)
		return -ENOENT;
	guard(&dir->sb->lock);
	return create_locked(dir, name, len, mode, rdev, out);
}

static int ovl_symlink(struct inode *i, const char *name, size_t len, const char *target)
{
	struct ovl_inode *dir = ovl_inode(i);
	struct inode *up;
	int hidden, r;

	if (dir->gone)
		return -ENOENT;
	guard(&dir->sb->lock);
	hidden = make_room(dir, name, len);
	if (hidden < 0)
		return hidden;
	up = ovl_upper(dir);
	mutex_lock(&up->lock);
	r = up->ops->symlink(up, name, len, target);
	mutex_unlock(&up->lock);
	if (r && hidden)
		whiteout(up, name, len);
	return r;
}

static int ovl_link(struct inode *i, const char *name, size_t len, struct inode *target)
{
	struct ovl_inode *dir = ovl_inode(i), *o = ovl_inode(target);
	struct inode *up;
	int hidden, r;

	if (dir->gone)
		return -ENOENT;
	guard(&dir->sb->lock);
	r = ovl_copy_up(o, true);
	hidden = r ? r : make_room(dir, name, len);
	if (hidden < 0)
		return hidden;
	up = ovl_upper(dir);
	mutex_lock(&up->lock);
	r = up->ops->link(up, name, len, ovl_upper(o));
	mutex_unlock(&up->lock);
	if (r && hidden)
		whiteout(up, name, len);
	ovl_refresh(o);
	return r;
}

/* ---- removing ---- */

/* What is at the name is to go: it is of the right kind and, if a directory, empty. */
static int may_go(struct ovl_inode *o, bool rmdir)
{
	int r;

	if (rmdir != !!S_ISDIR(o->i.mode))
		return rmdir ? -ENOTDIR : -EISDIR;
	r = rmdir ? ovl_is_empty(o) : 0;
	if (!r && rmdir && ovl_upper(o))
		r = ovl_clear_whiteouts(ovl_upper(o));
	return r;
}

static int unlink_locked(struct ovl_inode *dir, struct ovl_inode *o, const char *name, size_t len, bool rmdir)
{
	struct inode *up;
	int r = may_go(o, rmdir);

	if (!r)
		r = ovl_copy_up(dir, true);
	if (r)
		return r;
	up = ovl_upper(dir);
	if (ovl_upper(o))
		r = upper_unlink(up, name, len, rmdir);
	if (!r && ovl_in_lower(dir, name, len))
		r = whiteout(up, name, len);
	if (!r)
		ovl_forget(o);
	return r;
}

static int ovl_unlink(struct inode *i, const char *name, size_t len, bool rmdir)
{
	struct ovl_inode *dir = ovl_inode(i), *o;
	int r;

	mutex_lock(&dir->sb->lock);
	r = dir->gone ? -ENOENT : ovl_get(dir, name, len, &o);
	if (!r)
		r = unlink_locked(dir, o, name, len, rmdir);
	else
		o = NULL;
	mutex_unlock(&dir->sb->lock);
	if (o)
		inode_put(&o->i);
	return r;
}

/* ---- renaming ---- */

struct moving {
	struct ovl_inode *dir, *o; /* o: a reference, or NULL */
	const char *name;
	size_t len;
};

/* Directories of lower layers stay where they are. */
static int may_move(const struct ovl_inode *o)
{
	return S_ISDIR(o->i.mode) && o->nlower ? -EXDEV : 0;
}

static int prepare(struct moving *from, struct moving *to, u32 flags)
{
	int r = may_move(from->o);

	if (!r && to->o && (flags & RENAME_NOREPLACE))
		r = -EEXIST;
	if (!r && to->o && (flags & RENAME_EXCHANGE))
		r = may_move(to->o);
	else if (!r && to->o && S_ISDIR(from->o->i.mode) != S_ISDIR(to->o->i.mode))
		r = S_ISDIR(to->o->i.mode) ? -EISDIR : -ENOTDIR;
	else if (!r && to->o)
		r = may_go(to->o, S_ISDIR(to->o->i.mode));
	if (!r)
		r = ovl_copy_up(from->o, true);
	if (!r && to->o && (flags & RENAME_EXCHANGE))
		r = ovl_copy_up(to->o, true);
	return r ? r : ovl_copy_up(to->dir, true);
}

static int upper_rename(struct moving *from, struct moving *to, u32 flags)
{
	struct inode *a = ovl_upper(from->dir), *b = ovl_upper(to->dir), *second = a < b ? b : a;
	int r;

	guard(a < b ? &a->lock : &b->lock);
	if (a != b)
		mutex_lock(&second->lock);
	r = a->ops->rename(a, from->name, from->len, b, to->name, to->len, flags & RENAME_EXCHANGE);
	if (a != b)
		mutex_unlock(&second->lock);
	return r;
}

/* Where it was a lower layer may show through, where it is now it hides those. */
static int settle(struct moving *from, struct moving *to)
{
	if (S_ISDIR(from->o->i.mode))
		mem_inode(ovl_upper(from->o))->opaque = true;
	if (to->o)
		ovl_forget(to->o);
	if (ovl_in_lower(from->dir, from->name, from->len))
		whiteout(ovl_upper(from->dir), from->name, from->len);
	return ovl_renamed(from->o, to->dir, to->name, to->len);
}

static int swap(struct moving *from, struct moving *to)
{
	int r;

	if (S_ISDIR(from->o->i.mode))
		mem_inode(ovl_upper(from->o))->opaque = true;
	if (S_ISDIR(to->o->i.mode))
		mem_inode(ovl_upper(to->o))->opaque = true;
	r = ovl_renamed(from->o, to->dir, to->name, to->len);
	return r ? r : ovl_renamed(to->o, from->dir, from->name, from->len);
}

static int rename_locked(struct moving *from, struct moving *to, u32 flags)
{
	int r;

	if (!to->o && (flags & RENAME_EXCHANGE))
		return -ENOENT;
	if (to->o && (to->o == from->o || (ovl_upper(to->o) && ovl_upper(to->o) == ovl_upper(from->o))))
		return flags & RENAME_NOREPLACE ? -EEXIST : 0;
	r = prepare(from, to, flags);
	if (!r && !to->o) {
		r = make_room(to->dir, to->name, to->len);
		r = min(r, 0);
	}
	if (!r)
		r = upper_rename(from, to, flags);
	if (r)
		return r;
	return flags & RENAME_EXCHANGE ? swap(from, to) : settle(from, to);
}

static int ovl_rename(struct inode *dir, const char *name, size_t len, struct inode *dir2, const char *name2, size_t len2,
		      u32 flags)
{
	struct moving from = {.dir = ovl_inode(dir), .name = name, .len = len};
	struct moving to = {.dir = ovl_inode(dir2), .name = name2, .len = len2};
	struct overlay *sb = from.dir->sb;
	int r;

	if (flags & RENAME_WHITEOUT)
		return -EINVAL;
	mutex_lock(&sb->lock);
	r = from.dir->gone || to.dir->gone ? -ENOENT : ovl_get(from.dir, name, len, &from.o);
	if (!r) {
		r = ovl_get(to.dir, name2, len2, &to.o);
		if (r)
			to.o = NULL;
		r = r == -ENOENT ? 0 : r;
	} else {
		from.o = NULL;
	}
	if (!r)
		r = rename_locked(&from, &to, flags);
	mutex_unlock(&sb->lock);
	if (from.o)
		inode_put(&from.o->i);
	if (to.o)
		inode_put(&to.o->i);
	return r;
}

const struct inode_ops ovl_dir_inode_ops = {
	.lookup = ovl_lookup,
	.open = ovl_dir_open,
	.create = ovl_create,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rename = ovl_rename,
	.setattr = ovl_setattr,
	.getattr = ovl_getattr,
	.statfs = ovl_statfs,
	OVL_XATTR,
	.release = ovl_release,
};
