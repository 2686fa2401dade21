// SPDX-License-Identifier: Apache-2.0
/* Generated file systems: inodes and directories. The files are in pseudo_file.c. */
#include "pseudo.h"

#include "pid_ns.h"
#include "pseudo_impl.h"

#define FIRST_STATIC 2           /* cookies 0 and 1 are the dots */
#define FIRST_DYNAMIC (1LL << 16) /* more than any static table has */
#define DT_OF(mode) (((mode) & S_IFMT) >> 12)

static const struct inode_ops *ops_of(const struct pseudo_entry *e);

int pseudo_show_text(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, c->e->arg);
	return 0;
}

int pseudo_number(const char *name, size_t len)
{
	int n = 0;

	if (!len || len > 9 || (name[0] == '0' && len > 1))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + name[i] - '0';
	}
	return n;
}

/* The same object has the same number each time it is looked up: find and fts compare them. */
static u64 ino_of(const struct pseudo_ctx *c)
{
	u64 h = hash_u64((u64)c->e ^ hash_u64((u64)c->pid << 32 | (u32)c->tid) ^ (u64)c->n << 7);

	return (h & 0x7fffffff) | 0x80000000u;
}

static u32 count_links(const struct pseudo_entry *e)
{
	u32 n = e->dir ? 3 : 2;

	for (const struct pseudo_entry *c = e->children; c && c->name; c++)
		n += S_ISDIR(c->mode);
	return n;
}

static struct inode *make_inode(struct mount *mnt, const struct pseudo_fs *fs, struct inode *parent,
				const struct pseudo_ctx *c)
{
	struct pseudo_node *node = kzalloc(sizeof(*node));
	struct inode *i = node ? inode_new(ops_of(c->e), mnt, c->e->mode) : NULL;

	if (!i) {
		kfree(node);
		return ERR_PTR(-ENOMEM);
	}
	node->ctx = *c;
	if (c->pids)
		ns_get(&c->pids->ns);
	node->fs = fs;
	i->priv = node;
	i->ino = ino_of(c);
	if (S_ISDIR(i->mode))
		i->nlink = count_links(c->e);
	/* The parent must outlive us: nothing else keeps it. */
	i->parent = parent ? inode_get(parent) : i;
	if (fs->owner && fs->owner(c, &i->uid, &i->gid)) {
		inode_put(i);
		return ERR_PTR(-ENOENT);
	}
	return i;
}

static void pseudo_release(struct inode *i)
{
	struct pseudo_node *node = i->priv;

	if (node->ctx.pids)
		ns_put(&node->ctx.pids->ns);
	if (i->parent != i)
		inode_put(i->parent);
	kfree(i->priv);
	kfree(i);
}

const struct pseudo_ctx *pseudo_ctx_of(const struct inode *i)
{
	const struct pseudo_node *node = i->priv;

	return i->ops && i->ops->release == pseudo_release ? &node->ctx : NULL;
}

int pseudo_mount(struct mount *m, const struct pseudo_fs *fs, struct inode **root)
{
	struct pseudo_ctx c = { .e = fs->root };
	struct inode *i;

	if (fs->of_pid_ns && current->numbers)
		c.pids = current->numbers->ns;
	i = make_inode(m, fs, NULL, &c);

	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	i->ino = 1;
	*root = i;
	return 0;
}

static const struct pseudo_entry *find_static(const struct pseudo_entry *e, const char *name, size_t len)
{
	for (const struct pseudo_entry *c = e->children; c && c->name; c++)
		if (!strncmp(c->name, name, len) && !c->name[len])
			return c;
	return NULL;
}

static int pseudo_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct pseudo_node *node = dir->priv;
	const struct pseudo_dir *dyn = node->ctx.e->dir;
	struct pseudo_ctx child = node->ctx;
	struct inode *i;

	child.e = find_static(node->ctx.e, name, len);
	if (!child.e && (!dyn || dyn->lookup(&node->ctx, name, len, &child)))
		return -ENOENT;
	i = make_inode(dir->mnt, node->fs, dir, &child);
	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	*out = i;
	return 0;
}

/* False when the caller's buffer is full. */
static bool emit_static(struct dir_context *ctx, const struct pseudo_node *node)
{
	struct pseudo_ctx child = node->ctx;
	s64 at = FIRST_STATIC;

	for (const struct pseudo_entry *e = node->ctx.e->children; e && e->name; e++, at++) {
		if (at < ctx->pos)
			continue;
		child.e = e;
		if (!ctx->emit(ctx, e->name, strlen(e->name), ino_of(&child), DT_OF(e->mode)))
			return false;
		ctx->pos = at + 1;
	}
	return true;
}

static void emit_dynamic(struct dir_context *ctx, const struct pseudo_node *node)
{
	u64 cookie = (u64)max(ctx->pos - FIRST_DYNAMIC, 0LL);
	char name[64];

	for (;; cookie++) {
		struct pseudo_ctx child = node->ctx;

		if (!node->ctx.e->dir->next(&node->ctx, &cookie, name, &child))
			return;
		ctx->pos = FIRST_DYNAMIC + (s64)cookie;
		if (!ctx->emit(ctx, name, strlen(name), ino_of(&child), DT_OF(child.e->mode)))
			return;
		ctx->pos++;
	}
}

static int pseudo_readdir(struct inode *dir, struct dir_context *ctx)
{
	struct pseudo_node *node = dir->priv;
	u32 uid, gid;

	if (node->fs->owner && node->fs->owner(&node->ctx, &uid, &gid))
		return -ENOENT;
	if (!dir_emit_dots(ctx, dir))
		return 0;
	if (emit_static(ctx, node) && node->ctx.e->dir)
		emit_dynamic(ctx, node);
	return 0;
}

static int pseudo_readlink(struct inode *i, char *buf, size_t size)
{
	struct pseudo_node *node = i->priv;
	struct seq m = { 0 };
	int ret = node->ctx.e->show(&m, &node->ctx);
	size_t n = min(m.len, size);

	if (!ret && m.failed)
		ret = -ENOMEM;
	if (!ret && !n)
		ret = -ENOENT;
	if (!ret) {
		memcpy(buf, m.buf, n);
		ret = (int)n;
	}
	seq_free(&m);
	return ret;
}

static int pseudo_follow(struct inode *i, struct path *out)
{
	struct pseudo_node *node = i->priv;

	return node->ctx.e->follow(&node->ctx, out);
}

static int pseudo_setattr(struct inode *i, const struct iattr *a)
{
	/* open(O_TRUNC) of a file that is about to be written: nothing to cut. */
	return a->valid & ~(ATTR_SIZE | ATTR_ATIME | ATTR_MTIME) ? -EPERM : 0;
}

static const struct inode_ops dir_ops = {
	.lookup = pseudo_lookup,
	.readdir = pseudo_readdir,
	.setattr = pseudo_setattr,
	.release = pseudo_release,
};

static const struct inode_ops file_ops = {
	.open = pseudo_open,
	.setattr = pseudo_setattr,
	.release = pseudo_release,
};

static const struct inode_ops link_ops = {
	.readlink = pseudo_readlink,
	.setattr = pseudo_setattr,
	.release = pseudo_release,
};

static const struct inode_ops magic_ops = {
	.readlink = pseudo_readlink,
	.follow = pseudo_follow,
	.setattr = pseudo_setattr,
	.release = pseudo_release,
};

static const struct inode_ops *ops_of(const struct pseudo_entry *e)
{
	if (S_ISDIR(e->mode))
		return &dir_ops;
	if (S_ISLNK(e->mode))
		return e->follow ? &magic_ops : &link_ops;
	return &file_ops;
}
