// SPDX-License-Identifier: Apache-2.0
/* Cgroups made inside: directories, the inodes of their files, mounts. */
#include <linux/fs.h>

#include "../sysfs/sysfs.h"
#include "cred.h"
#include "impl.h"
#include "mounts.h"
#include "vfs_impl.h"

#define CGROUP2_MAGIC	0x63677270
#define FIRST_FILE	2 /* cookies 0 and 1 are the dots */
#define FIRST_CHILD	(1LL << 16)
#define DEFAULT_WEIGHT	100
#define DT_DIR		4
#define DT_REG		8

static const struct inode_ops dir_ops, file_inode_ops;

bool cgroup_is_dir(const struct inode *i)
{
	return i->ops == &dir_ops;
}

u32 cgroup_controllers(const struct cgroup *c)
{
	return c->parent ? c->parent->enabled : CG_ALL;
}

/* ---- life ---- */

static struct cgroup *cgroup_new(struct cgroup *parent, struct mount *mnt, const char *name, size_t len)
{
	struct cgroup *c = kzalloc(sizeof(*c) + len + 1);

	if (!c)
		return NULL;
	inode_init(&c->i, &dir_ops, mnt, S_IFDIR | 0755);
	if (parent) {
		inode_own(&c->i);
		c->parent = cgroup_get(parent);
		c->i.parent = &parent->i;
		c->level = parent->level + 1;
	} else {
		c->i.parent = &c->i;
	}
	c->made_uid = c->i.uid;
	c->made_gid = c->i.gid;
	list_init(&c->children);
	list_init(&c->sibling);
	list_init(&c->files);
	list_init(&c->told);
	waitq_init(&c->wait);
	c->next_cookie = FIRST_CHILD;
	c->max_depth = c->max_descendants = c->pids_max = CG_NO_LIMIT;
	c->weight = DEFAULT_WEIGHT;
	memcpy(c->name, name, len);
	return c;
}

/* A loop: how many go with the last reference is the user's choice. */
static void dir_inode_release(struct inode *i)
{
	struct cgroup *c = cgroup_of_inode(i);

	while (c) {
		struct cgroup *parent = c->parent;

		kfree(c);
		c = parent && ref_put(&parent->i.ref) ? parent : NULL;
	}
}

static void file_inode_release(struct inode *i)
{
	struct cgroup_file *f = (struct cgroup_file *)i;

	cgroup_put(f->c);
	kfree(f);
}

/* ---- files ---- */

static const struct cgroup_entry *entries_of(const struct cgroup *c)
{
	return c->parent ? cgroup_entries : cgroup_top_entries;
}

static bool is_shown(const struct cgroup *c, const struct cgroup_entry *e)
{
	return !e->controller || (cgroup_controllers(c) & e->controller);
}

static struct cgroup_file *find_file(struct cgroup *c, const struct cgroup_entry *e)
{
	struct cgroup_file *f;

	list_for_each(f, &c->files, node)
		if (f->entry == e)
			return f;
	return NULL;
}

struct inode *cgroup_file_inode(struct cgroup *c, const struct cgroup_entry *e)
{
	struct cgroup_file *f = find_file(c, e);

	if (f)
		return inode_get(&f->i);
	f = kzalloc(sizeof(*f));
	if (!f)
		return NULL;
	inode_init(&f->i, &file_inode_ops, c->i.mnt, e->e.mode);
	f->i.uid = c->made_uid;
	f->i.gid = c->made_gid;
	f->c = cgroup_get(c);
	f->entry = e;
	list_add_tail(&f->node, &c->files);
	return inode_get(&f->i);
}

static int file_inode_open(struct inode *i, struct file *f)
{
	struct cgroup_file *file = (struct cgroup_file *)i;
	const struct pseudo_ctx ctx = { .e = &file->entry->e, .cg = file->c };

	return pseudo_open_as(&ctx, f);
}

static int file_setattr(struct inode *i, const struct iattr *a)
{
	inode_set_fields(i, a);
	return 0;
}

/* ---- directories ---- */

static struct cgroup *find_child(struct cgroup *c, const char *name, size_t len)
{
	struct cgroup *child;

	list_for_each(child, &c->children, sibling)
		if (!strncmp(child->name, name, len) && !child->name[len])
			return child;
	return NULL;
}

static int dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct cgroup *c = cgroup_of_inode(dir), *child;

	guard(&tasklist_lock);
	child = find_child(c, name, len);
	if (child) {
		*out = inode_get(&child->i);
		return 0;
	}
	if (c->dead)
		return -ENOENT;
	for (const struct cgroup_entry *e = entries_of(c); e->e.name; e++) {
		if (strncmp(e->e.name, name, len) || e->e.name[len] || !is_shown(c, e))
			continue;
		*out = cgroup_file_inode(c, e);
		return *out ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static int emit_files(struct cgroup *c, struct dir_context *ctx)
{
	s64 at = FIRST_FILE;

	for (const struct cgroup_entry *e = entries_of(c); e->e.name; e++, at++) {
		if (at < ctx->pos || !is_shown(c, e))
			continue;
		if (!ctx->emit(ctx, e->e.name, strlen(e->e.name), c->i.ino << 8 | (u64)at, DT_REG))
			return -1;
		ctx->pos = at + 1;
	}
	return 0;
}

static int dir_readdir(struct inode *dir, struct dir_context *ctx)
{
	struct cgroup *c = cgroup_of_inode(dir), *child;

	if (!dir_emit_dots(ctx, dir))
		return 0;
	guard(&tasklist_lock);
	if (c->dead || emit_files(c, ctx))
		return 0;
	list_for_each(child, &c->children, sibling) {
		if (child->cookie < ctx->pos)
			continue;
		if (!ctx->emit(ctx, child->name, strlen(child->name), child->i.ino, DT_DIR))
			return 0;
		ctx->pos = child->cookie + 1;
	}
	return 0;
}

/* Limits of those above on what may be below them. */
static int may_have_child(struct cgroup *c)
{
	int depth = 1;

	if (c->dead)
		return -ENOENT;
	for (; c; c = c->parent, depth++)
		if ((u64)depth > c->max_depth ||
		    (c->max_descendants != CG_NO_LIMIT && cgroup_descendants(c) >= c->max_descendants))
			return -EAGAIN;
	return 0;
}

static int dir_create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
	struct cgroup *c = cgroup_of_inode(dir), *child;
	int r;

	if (!name)
		return -EOPNOTSUPP;
	if (!S_ISDIR(mode))
		return S_ISREG(mode) ? -EACCES : -EPERM;
	if (memchr(name, '\n', len))
		return -EINVAL;
	guard(&tasklist_lock);
	if (find_child(c, name, len))
		return -EEXIST;
	r = may_have_child(c);
	if (r)
		return r;
	child = cgroup_new(c, dir->mnt, name, len);
	if (!child)
		return -ENOMEM;
	child->i.mode = S_IFDIR | (mode & 01777);
	child->cookie = c->next_cookie++;
	list_add_tail(&child->sibling, &c->children); /* with the first reference */
	dir->nlink++;
	if (out)
		*out = inode_get(&child->i);
	return 0;
}

static void bury(struct cgroup *c)
{
	struct cgroup_file *f, *next;

	list_del(&c->sibling);
	c->dead = true;
	c->i.nlink = 0;
	c->parent->i.nlink--;
	list_for_each_safe(f, next, &c->files, node) {
		list_del(&f->node);
		inode_put(&f->i);
	}
	cgroup_put(c);
}

static int dir_unlink(struct inode *dir, const char *name, size_t len, bool rmdir)
{
	struct cgroup *child;

	guard(&tasklist_lock);
	child = find_child(cgroup_of_inode(dir), name, len);
	if (!child)
		return rmdir ? -ENOTDIR : -EPERM;
	if (!rmdir)
		return -EISDIR;
	if (child->populated || !list_empty(&child->children))
		return -EBUSY;
	bury(child);
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = dir_lookup,
	.readdir = dir_readdir,
	.create = dir_create,
	.unlink = dir_unlink,
	.setattr = file_setattr,
	.release = dir_inode_release,
};

static const struct inode_ops file_inode_ops = {
	.open = file_inode_open,
	.setattr = file_setattr,
	.release = file_inode_release,
};

/* ---- mounts: all show the one hierarchy, from the root of who mounts it ---- */

static struct fs_type cgroup2_type, cgroup_type;
static struct mutex mount_lock;

static int make_top(struct mount *m)
{
	guard(&mount_lock);
	if (cgroup_top)
		return 0;
	cgroup_top = cgroup_new(NULL, m, "", 0);
	if (!cgroup_top)
		return -ENOMEM;
	mount_hold(m); /* the inodes are its */
	return 0;
}

/* What the OCI specification calls "cgroup" is whatever the system has: show it as version 2. */
static int cgroup_mount(struct mount *m, const char *options, struct inode **out)
{
	int r = make_top(m);

	if (r)
		return r;
	m->type = &cgroup2_type;
	m->dev = (u32)cgroup_top->i.dev;
	*out = inode_get(&cgroup_ns_root()->i);
	return 0;
}

static struct fs_type cgroup2_type = { .name = "cgroup2", .magic = CGROUP2_MAGIC, .mount = cgroup_mount };
static struct fs_type cgroup_type = { .name = "cgroup", .magic = CGROUP2_MAGIC, .mount = cgroup_mount };

void cgroup_init(void)
{
	fs_register(&cgroup2_type);
	fs_register(&cgroup_type);
}
