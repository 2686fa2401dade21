/* SPDX-License-Identifier: Apache-2.0 */
/* mount -t overlay: options, and which directories can be layers. */
#include "overlay.h"

#include <linux/magic.h>

#include "../../vfs/mount_impl.h"
#include "hostfs.h"
#include "tmpfs.h"
#include "user_ns.h"

struct layers {
	struct path upper, work, lower[OVL_LAYERS];
	u32 nlower;
};

static void layers_put(struct layers *l)
{
	path_put(&l->upper);
	path_put(&l->work);
	for (u32 i = 0; i < l->nlower; i++)
		path_put(&l->lower[i]);
	kfree(l);
}

/* A directory by its name, of which a backslash quotes the next character. */
static int find_dir(const char *text, size_t len, struct path *out)
{
	char *name __kfree = kzalloc(len + 1);
	size_t n = 0;
	int r;

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len)
			i++;
		name[n++] = text[i];
	}
	r = mount_lookup(name, 0, out);
	if (r)
		return r;
	place_descend(out);
	if (S_ISDIR(out->inode->mode))
		return 0;
	path_put(out);
	return -ENOTDIR;
}

static int find_lowers(const char *o, size_t len, struct layers *l)
{
	for (size_t at = 0; at <= len;) {
		size_t n = 0;
		int r;

		while (at + n < len && o[at + n] != ':')
			n += o[at + n] == '\\' && at + n + 1 < len ? 2 : 1;
		if (!n || l->nlower == OVL_LAYERS)
			return -EINVAL;
		r = find_dir(o + at, n, &l->lower[l->nlower]);
		if (r)
			return r;
		l->nlower++;
		at += n + 1;
	}
	return 0;
}

/* What is not here has one value only. */
static bool is_default(const char *o, size_t len)
{
	static const char *const known[] = {"redirect_dir=off", "redirect_dir=nofollow", "index=off", "metacopy=off",
					    "xino=off", "xino=auto", "nfs_export=off", "userxattr", "volatile"};

	for (u32 i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == len && !memcmp(known[i], o, len))
			return true;
	return false;
}

static int one_option(const char *o, size_t len, struct layers *l)
{
	if (strstarts(o, "lowerdir=") && !l->nlower)
		return find_lowers(o + 9, len - 9, l);
	if (strstarts(o, "upperdir=") && !l->upper.inode)
		return find_dir(o + 9, len - 9, &l->upper);
	if (strstarts(o, "workdir=") && !l->work.inode)
		return find_dir(o + 8, len - 8, &l->work);
	return !len || is_default(o, len) ? 0 : -EINVAL;
}

static int parse(const char *options, struct layers *l)
{
	for (const char *o = options; o && *o;) {
		const char *end = strchr(o, ',');
		int r = one_option(o, end ? (size_t)(end - o) : strlen(o), l);

		if (r)
			return r;
		o = end ? end + 1 : NULL;
	}
	return 0;
}

static bool is_inside(const struct inode *i, const struct inode *top)
{
	for (; i; i = i->parent)
		if (i == top)
			return true;
	return false;
}

/* The upper layer is of a tmpfs, and the work directory another directory of it. */
static int check(const struct layers *l)
{
	const struct path *up = &l->upper, *work = &l->work;

	if (!l->nlower || (!up->inode && l->nlower < 2) || !up->inode != !work->inode)
		return -EINVAL;
	for (u32 i = 0; i < l->nlower; i++)
		if (!inode_is_host(l->lower[i].inode) && !tmpfs_owns(l->lower[i].inode))
			return -EINVAL;
	if (!up->inode)
		return 0;
	if (!tmpfs_owns(up->inode) || !tmpfs_owns(work->inode) || up->mnt->sb != work->mnt->sb)
		return -EINVAL;
	if (is_inside(up->inode, work->inode) || is_inside(work->inode, up->inode))
		return -EINVAL;
	return (up->mnt->flags & MS_RDONLY) ? -EROFS : 0;
}

static void hold(struct overlay *sb, struct path *p)
{
	if (!p->mnt)
		return;
	sb->held[sb->nheld++] = p->mnt->sb;
	mount_hold(p->mnt->sb);
}

void ovl_free(struct overlay *sb)
{
	for (u32 i = 0; i < sb->nheld; i++)
		mount_unhold(sb->held[i]);
	kfree(sb);
}

static struct overlay *sb_new(struct layers *l)
{
	struct overlay *sb = kzalloc(sizeof(*sb));

	if (!sb)
		return NULL;
	for (u32 i = 0; i < OVL_BUCKETS; i++)
		list_init(&sb->cache[i]);
	hold(sb, &l->upper);
	for (u32 i = 0; i < l->nlower; i++)
		hold(sb, &l->lower[i]);
	return sb;
}

/* As on Linux there is a directory "work" then, which the kernel alone uses: not at all here. */
static void make_work(struct inode *dir)
{
	guard(&dir->lock);
	dir->ops->create(dir, "work", 4, S_IFDIR, 0, NULL);
}

static int make_root(struct mount *m, struct layers *l, struct inode **root)
{
	struct ovl_found *f = kzalloc(sizeof(*f));
	struct overlay *sb = f ? sb_new(l) : NULL;
	struct ovl_inode *o;

	if (!sb) {
		kfree(f);
		return -ENOMEM;
	}
	f->upper = l->upper.inode ? inode_get(l->upper.inode) : NULL;
	f->layer = 1;
	f->nlower = l->nlower;
	for (u32 i = 0; i < l->nlower; i++)
		f->lower[i] = inode_get(l->lower[i].inode);
	o = ovl_new(sb, m, NULL, NULL, 0, f);
	kfree(f);
	if (IS_ERR(o)) {
		ovl_free(sb);
		return (int)PTR_ERR(o);
	}
	sb->root = o;
	if (ns_owner(&mnt_ns_current()->ns) != &init_user_ns) {
		m->flags |= MS_NODEV;
		m->locked |= MS_NODEV;
	}
	if (l->work.inode)
		make_work(l->work.inode);
	else
		m->flags |= MS_RDONLY;
	*root = &o->i;
	return 0;
}

static int ovl_mount(struct mount *m, const char *options, struct inode **root)
{
	struct layers *l = kzalloc(sizeof(*l));
	int r = l ? parse(options, l) : -ENOMEM;

	if (!r)
		r = check(l);
	if (!r)
		r = make_root(m, l, root);
	if (l)
		layers_put(l);
	return r;
}

static int ovl_show_options(struct mount *m, char *buf, size_t size)
{
	return (int)strlcpy(buf, m->sb->options, size);
}

static int ovl_remount(struct mount *m, const char *options)
{
	return 0; /* layers stay what they are, whatever is said */
}

struct fs_type overlay_type = {
	.name = "overlay",
	.magic = OVERLAYFS_SUPER_MAGIC,
	.mount = ovl_mount,
	.show_options = ovl_show_options,
	.remount = ovl_remount,
};
