/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes of an overlay: what a name is in its layers, and the life of what was found. */
#include "overlay.h"

#include "fsnotify.h"
#include "hostfs.h"

/* ---- the cache ---- */

static struct list_head *bucket(struct overlay *sb, const struct ovl_inode *dir, const char *name, size_t len)
{
	u64 h = (u64)dir;

	for (size_t i = 0; i < len; i++)
		h = h * 31 + (u8)name[i];
	return &sb->cache[hash_u64(h) % OVL_BUCKETS];
}

static struct ovl_inode *cache_find(struct ovl_inode *dir, const char *name, size_t len)
{
	struct ovl_inode *o;

	guard(&dir->sb->cache_lock);
	list_for_each(o, bucket(dir->sb, dir, name, len), node)
		if (o->dir == dir && strlen(o->name) == len && !memcmp(o->name, name, len) &&
		    ref_get_unless_zero(&o->i.ref))
			return o;
	return NULL;
}

static void cache_add(struct ovl_inode *o)
{
	guard(&o->sb->cache_lock);
	list_add(&o->node, bucket(o->sb, o->dir, o->name, strlen(o->name)));
}

static void cache_del(struct ovl_inode *o)
{
	guard(&o->sb->cache_lock);
	list_del(&o->node);
	list_init(&o->node);
}

void ovl_forget(struct ovl_inode *o)
{
	cache_del(o);
	o->gone = true;
	o->i.nlink = S_ISDIR(o->i.mode) ? 0 : ovl_upper(o) ? ovl_upper(o)->nlink : 0;
}

int ovl_renamed(struct ovl_inode *o, struct ovl_inode *dir, const char *name, size_t len)
{
	struct ovl_inode *was = o->dir;
	char *text = kstrndup(name, len), *old = o->name;

	if (!text)
		return -ENOMEM;
	inode_get(&dir->i);
	cache_del(o);
	mutex_lock(&o->sb->cache_lock);
	o->dir = dir;
	o->name = text;
	mutex_unlock(&o->sb->cache_lock);
	if (S_ISDIR(o->i.mode))
		o->i.parent = &dir->i;
	cache_add(o);
	inode_put(&was->i);
	kfree(old);
	return 0;
}

bool ovl_name_of(struct inode *dir, struct inode *i, char *name)
{
	struct ovl_inode *o = ovl_inode(i);

	if (dir->ops != &ovl_dir_inode_ops || i->ops->release != ovl_release || o->dir != ovl_inode(dir))
		return false;
	guard(&o->sb->cache_lock);
	return !o->gone && strlcpy(name, o->name, NAME_MAX + 1) <= NAME_MAX;
}

/* ---- life ---- */

static const struct inode_ops *ops_for(const struct inode *real);

static u64 number(const struct ovl_found *f)
{
	const struct inode *u = f->upper;

	if (u && mem_inode((struct inode *)u)->origin)
		return mem_inode((struct inode *)u)->origin;
	if (f->nlower && (!u || S_ISDIR(u->mode)))
		return f->lower[0]->ino + ((u64)f->layer << 48);
	return u->ino;
}

/* The fields that permission checks look at. */
void ovl_refresh(struct ovl_inode *o)
{
	const struct inode *real = ovl_real(o);

	o->i.mode = real->mode;
	o->i.uid = real->uid;
	o->i.gid = real->gid;
	o->i.rdev = real->rdev;
	o->i.size = real->size;
	if (!o->gone)
		o->i.nlink = S_ISDIR(real->mode) ? 1 : real->nlink;
}

struct ovl_inode *ovl_new(struct overlay *sb, struct mount *mnt, struct ovl_inode *dir, const char *name, size_t len,
			  struct ovl_found *f)
{
	struct ovl_inode *o = kzalloc(sizeof(*o) + f->nlower * sizeof(o->lower[0]));
	const struct inode *real = f->upper ? f->upper : f->lower[0];

	if (o && name)
		o->name = kstrndup(name, len);
	if (!o || (name && !o->name)) {
		kfree(o);
		ovl_found_put(f);
		return ERR_PTR(-ENOMEM);
	}
	inode_init(&o->i, ops_for(real), mnt, real->mode);
	o->sb = sb;
	list_init(&o->node);
	o->upper = f->upper;
	o->layer = f->layer;
	o->nlower = f->nlower;
	memcpy(o->lower, f->lower, f->nlower * sizeof(o->lower[0]));
	o->i.ino = number(f);
	ovl_refresh(o);
	__atomic_add_fetch(&sb->inodes, 1, __ATOMIC_RELAXED);
	if (dir && name) {
		o->dir = dir;
		inode_get(&dir->i);
		o->i.parent = S_ISDIR(o->i.mode) ? &dir->i : NULL;
		cache_add(o);
	}
	return o;
}

/* Its directory may go with it, and that one's: one by one. */
void ovl_release(struct inode *i)
{
	struct ovl_inode *o = ovl_inode(i);

	while (o) {
		struct ovl_inode *dir = o->dir;
		struct overlay *sb = o->sb;

		cache_del(o);
		inode_put(o->upper);
		for (u32 l = 0; l < o->nlower; l++)
			inode_put(o->lower[l]);
		kfree(o->name);
		kfree(o->target);
		kfree(o);
		o = dir && ref_put(&dir->i.ref) ? dir : NULL;
		if (!__atomic_sub_fetch(&sb->inodes, 1, __ATOMIC_ACQ_REL))
			ovl_free(sb);
	}
}

/* ---- finding ---- */

void ovl_found_put(struct ovl_found *f)
{
	inode_put(f->upper);
	for (u32 l = 0; l < f->nlower; l++)
		inode_put(f->lower[l]);
	f->upper = NULL;
	f->nlower = 0;
}

/* One lower layer. 1: those below it do not matter. */
static int find_lower(struct ovl_inode *dir, u32 l, const char *name, size_t len, struct ovl_found *f)
{
	struct inode *in;
	bool found = f->upper || f->nlower;
	int r = ovl_layer_lookup(dir->lower[l], name, len, &in);

	if (r)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	if (ovl_is_whiteout(in) || (found && !S_ISDIR(in->mode))) {
		inode_put(in);
		return 1;
	}
	if (!f->nlower)
		f->layer = dir->layer + l;
	f->lower[f->nlower++] = in;
	return !S_ISDIR(in->mode) || ovl_is_opaque(in);
}

int ovl_find(struct ovl_inode *dir, const char *name, size_t len, struct ovl_found *f)
{
	struct inode *upper = ovl_upper(dir);
	int r = 0;

	f->upper = NULL;
	f->nlower = f->layer = 0;
	f->whiteout = false;
	if (upper)
		r = ovl_layer_lookup(upper, name, len, &f->upper);
	if (r && r != -ENOENT)
		return r;
	if (f->upper && ovl_is_whiteout(f->upper)) {
		f->whiteout = true;
		ovl_found_put(f);
		return -ENOENT;
	}
	r = f->upper && (!S_ISDIR(f->upper->mode) || ovl_is_opaque(f->upper));
	for (u32 l = 0; l < dir->nlower && !r; l++)
		r = find_lower(dir, l, name, len, f);
	if (r < 0)
		ovl_found_put(f);
	return r < 0 ? r : f->upper || f->nlower ? 0 : -ENOENT;
}

bool ovl_in_lower(struct ovl_inode *dir, const char *name, size_t len)
{
	for (u32 l = 0; l < dir->nlower; l++) {
		struct inode *in;
		bool whiteout;

		if (ovl_layer_lookup(dir->lower[l], name, len, &in))
			continue;
		whiteout = ovl_is_whiteout(in);
		inode_put(in);
		return !whiteout;
	}
	return false;
}

int ovl_get(struct ovl_inode *dir, const char *name, size_t len, struct ovl_inode **out)
{
	struct ovl_found *f;
	struct ovl_inode *o = cache_find(dir, name, len);
	int r;

	if (o) {
		if (ovl_upper(o))
			ovl_refresh(o);
		*out = o;
		return 0;
	}
	f = kmalloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	r = ovl_find(dir, name, len, f);
	if (!r) {
		o = ovl_new(dir->sb, dir->i.mnt, dir, name, len, f);
		r = IS_ERR(o) ? (int)PTR_ERR(o) : 0;
	}
	kfree(f);
	if (!r && S_ISLNK(o->i.mode) && !o->upper && inode_is_host(o->lower[0])) {
		char *text = ovl_layer_link(dir->lower[o->layer - dir->layer], name, len);

		o->target = IS_ERR(text) ? NULL : text;
	}
	*out = o;
	return r;
}

int ovl_lookup(struct inode *i, const char *name, size_t len, struct inode **out)
{
	struct ovl_inode *dir = ovl_inode(i), *o;
	int r;

	if (dir->gone)
		return -ENOENT;
	guard(&dir->sb->lock);
	r = ovl_get(dir, name, len, &o);
	if (!r)
		*out = &o->i;
	return r;
}

/* ---- attributes ---- */

int ovl_getattr(struct inode *i, struct statx *st)
{
	struct ovl_inode *o = ovl_inode(i);
	struct statx real;

	if (ovl_layer_stat(ovl_real(o), &real))
		return 0;
	*st = real;
	st->stx_ino = i->ino;
	st->stx_dev_major = 0;
	st->stx_dev_minor = (u32)i->dev;
	st->stx_attributes = st->stx_attributes_mask = 0;
	if (S_ISDIR(i->mode))
		st->stx_nlink = o->gone ? 0 : 1;
	else if (o->gone && !ovl_upper(o) && st->stx_nlink)
		st->stx_nlink--;
	return 0;
}

int ovl_setattr(struct inode *i, const struct iattr *a)
{
	struct ovl_inode *o = ovl_inode(i);
	int r;

	mutex_lock(&o->sb->lock);
	r = ovl_copy_up(o, !((a->valid & ATTR_SIZE) && !a->size));
	mutex_unlock(&o->sb->lock);
	if (!r)
		r = inode_setattr(o->upper, a);
	if (!r)
		ovl_refresh(o);
	return r;
}

static int ovl_readlink(struct inode *i, char *buf, size_t size)
{
	struct ovl_inode *o = ovl_inode(i);
	struct inode *real = ovl_real(o);

	if (!inode_is_host(real))
		return real->ops->readlink(real, buf, size);
	return o->target ? (int)min(strlcpy(buf, o->target, size), size - 1) : -EIO;
}

int ovl_statfs(struct inode *i, struct statfs *st)
{
	struct ovl_inode *o = ovl_inode(i);
	struct inode *u = ovl_upper(o->sb->root);

	return u ? u->ops->statfs(u, st) : 0;
}

static const struct inode_ops file_ops = {
	.open = ovl_open,
	.setattr = ovl_setattr,
	.getattr = ovl_getattr,
	.statfs = ovl_statfs,
	OVL_XATTR,
	.release = ovl_release,
};

static const struct inode_ops link_ops = {
	.readlink = ovl_readlink,
	.setattr = ovl_setattr,
	.getattr = ovl_getattr,
	.statfs = ovl_statfs,
	OVL_XATTR,
	.release = ovl_release,
};

static const struct inode_ops node_ops = {
	.setattr = ovl_setattr,
	.getattr = ovl_getattr,
	.statfs = ovl_statfs,
	OVL_XATTR,
	.release = ovl_release,
};

static int not_opened(struct inode *i, struct file *f)
{
	return -EACCES;
}

/* A device in a layer of the host where devices are none. */
static const struct inode_ops nodev_ops = {
	.open = not_opened,
	.setattr = ovl_setattr,
	.getattr = ovl_getattr,
	.statfs = ovl_statfs,
	OVL_XATTR,
	.release = ovl_release,
};

static const struct inode_ops *ops_for(const struct inode *real)
{
	u32 mode = real->mode;

	if ((S_ISCHR(mode) || S_ISBLK(mode)) && inode_is_host(real) && (real->mnt_flags & MS_NODEV))
		return &nodev_ops;
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &ovl_dir_inode_ops;
	case S_IFREG:
		return &file_ops;
	case S_IFLNK:
		return &link_ops;
	default:
		return &node_ops;
	}
}
