/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an overlay's directories: the names of all layers, each once, collected when the reading begins. */
#include "overlay.h"

#include "fsnotify.h"

#define NAMES 256u /* buckets */

struct entry {
	struct entry *next, *same; /* in order; in the bucket */
	u64 ino;
	u32 type;
	bool whiteout;
	size_t len;
	char name[];
};

struct listing {
	struct dir_context ctx;
	struct entry *first, **end, *buckets[NAMES];
	struct inode *dir; /* that is being read */
	u32 layer;
	int err;
};

static bool take(struct dir_context *ctx, const char *name, size_t len, u64 ino, u32 type)
{
	struct listing *l = container_of(ctx, struct listing, ctx);
	struct entry **b, *e;
	u64 h = 0;

	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	for (size_t i = 0; i < len; i++)
		h = h * 31 + (u8)name[i];
	b = &l->buckets[hash_u64(h) % NAMES];
	for (e = *b; e; e = e->same)
		if (e->len == len && !memcmp(e->name, name, len))
			return true;
	e = kzalloc(sizeof(*e) + len + 1);
	if (!e) {
		l->err = -ENOMEM;
		return false;
	}
	e->ino = ino + ((u64)l->layer << 48);
	e->type = type;
	e->len = len;
	e->whiteout = type == S_IFCHR >> 12; /* perhaps: settle() looks */
	memcpy(e->name, name, len);
	e->same = *b;
	*b = e;
	*l->end = e;
	l->end = &e->next;
	return true;
}

/* Which of the character devices since `e` are whiteouts: asked when the directory is not locked any more. */
static void settle(struct listing *l, struct entry *e)
{
	for (; e; e = e->next) {
		struct inode *in;

		if (!e->whiteout)
			continue;
		e->whiteout = false;
		if (ovl_layer_lookup(l->dir, e->name, e->len, &in))
			continue;
		e->whiteout = ovl_is_whiteout(in);
		inode_put(in);
	}
}

static void list_free(struct listing *l)
{
	struct entry *e, *next;

	for (e = l ? l->first : NULL; e; e = next) {
		next = e->next;
		kfree(e);
	}
	kfree(l);
}

static void list_layer(struct listing *l, struct inode *dir, u32 layer)
{
	struct entry **from = l->end;
	int r;

	l->dir = dir;
	l->layer = layer;
	l->ctx.pos = 0;
	r = ovl_layer_list(dir, &l->ctx);
	if (r && !l->err)
		l->err = r;
	settle(l, *from);
}

static struct listing *list_all(struct ovl_inode *o)
{
	struct listing *l = kzalloc(sizeof(*l));
	struct inode *upper = ovl_upper(o);
	int r;

	if (!l)
		return ERR_PTR(-ENOMEM);
	l->ctx.emit = take;
	l->end = &l->first;
	if (upper)
		list_layer(l, upper, 0);
	for (u32 i = 0; i < o->nlower && !l->err; i++)
		list_layer(l, o->lower[i], o->layer + i);
	r = l->err;
	if (!r)
		return l;
	list_free(l);
	return ERR_PTR(r);
}

int ovl_is_empty(struct ovl_inode *o)
{
	struct listing *l = list_all(o);
	int r = 0;

	if (IS_ERR(l))
		return (int)PTR_ERR(l);
	for (struct entry *e = l->first; e && !r; e = e->next)
		r = e->whiteout ? 0 : -ENOTEMPTY;
	list_free(l);
	return r;
}

int ovl_clear_whiteouts(struct inode *dir)
{
	struct listing *l = kzalloc(sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->ctx.emit = take;
	l->end = &l->first;
	list_layer(l, dir, 0);
	r = l->err;
	mutex_lock(&dir->lock);
	for (struct entry *e = l->first; e && !r; e = e->next)
		if (e->whiteout)
			r = dir->ops->unlink(dir, e->name, e->len, false);
	mutex_unlock(&dir->lock);
	list_free(l);
	return r;
}

/* ---- open directories ---- */

static int emit_from(struct listing *l, struct dir_context *ctx)
{
	s64 at = 2;

	for (struct entry *e = l->first; e; e = e->next, at++) {
		if (at < ctx->pos || e->whiteout)
			continue;
		ctx->pos = at;
		if (!ctx->emit(ctx, e->name, e->len, e->ino, e->type))
			return 0;
		ctx->pos = at + 1;
	}
	return 0;
}

static int dir_getdents(struct file *f, struct dir_context *ctx)
{
	struct ovl_inode *o = ovl_inode(f->inode);
	struct listing *l;

	guard(&f->lock);
	if (!f->pos || !f->priv) {
		if (o->gone)
			return -ENOENT;
		mutex_lock(&o->sb->lock);
		l = list_all(o);
		mutex_unlock(&o->sb->lock);
		if (IS_ERR(l))
			return (int)PTR_ERR(l);
		list_free(f->priv);
		f->priv = l;
	}
	ctx->pos = f->pos;
	if (dir_emit_dots(ctx, f->inode))
		emit_from(f->priv, ctx);
	f->pos = ctx->pos;
	return 0;
}

static int dir_fsync(struct file *f, bool data_only)
{
	return 0;
}

static void dir_release(struct file *f)
{
	list_free(f->priv);
	fsnotify_inode(f->inode, IN_CLOSE_NOWRITE);
}

static const struct file_ops ovl_dir_ops = {
	.release = dir_release,
	.seek = generic_seek,
	.getdents = dir_getdents,
	.fsync = dir_fsync,
};

int ovl_dir_open(struct inode *i, struct file *f)
{
	f->ops = &ovl_dir_ops;
	return 0;
}
