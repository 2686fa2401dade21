/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of an overlay: tmpfs by its inode operations, the host's directories by PV calls. */
#include "overlay.h"

#include "hostfs.h"
#include "tmpfs.h"

bool ovl_is_whiteout(const struct inode *i)
{
	return S_ISCHR(i->mode) && !i->rdev;
}

/* The host's are asked for no attribute: a lower directory of its does not hide those below it. */
bool ovl_is_opaque(struct inode *dir)
{
	return tmpfs_owns(dir) && mem_inode(dir)->opaque;
}

int ovl_layer_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	s64 r;

	if (!inode_is_host(dir)) {
		guard(&dir->lock);
		return dir->ops->lookup(dir, name, len, out);
	}
	r = hostfs_lookup_in(dir, name, len, RESOLVE_NO_SYMLINKS, true, out);
	return r == PV_CROSS ? host_hole(out) : (int)r;
}

static void name_of_handle(struct name *n, struct inode *i, bool all_powers)
{
	memset(n, 0, sizeof(*n));
	n->text = "";
	n->flags = NAME_EMPTY;
	n->base.inode = i;
	n->all_powers = all_powers;
}

static s64 not_guest(struct name *n, void *arg)
{
	return -ESTALE;
}

struct file *ovl_layer_open(struct inode *i, u32 flags, bool all_powers)
{
	struct open_args a = {.flags = flags};
	struct name n;
	s64 r;

	if (!inode_is_host(i))
		return inode_open_file(i, NULL, flags);
	name_of_handle(&n, i, all_powers);
	r = name_run(&n, hostfs_open, not_guest, &a);
	return r ? ERR_PTR(r) : a.file;
}

int ovl_layer_stat(struct inode *i, struct statx *st)
{
	struct name n;

	if (!inode_is_host(i)) {
		inode_getattr(i, st);
		return 0;
	}
	name_of_handle(&n, i, true);
	return (int)name_run(&n, hostfs_stat, not_guest, st);
}

struct counted {
	struct dir_context ctx;
	struct dir_context *to;
	u32 n;
};

static bool count_emit(struct dir_context *ctx, const char *name, size_t len, u64 ino, u32 type)
{
	struct counted *c = container_of(ctx, struct counted, ctx);

	c->n++;
	return c->to->emit(c->to, name, len, ino, type);
}

int ovl_layer_list(struct inode *dir, struct dir_context *to)
{
	struct counted c = {.ctx.emit = count_emit, .to = to};
	struct file *f __file = NULL;
	int r;

	if (!inode_is_host(dir))
		return dir->ops->readdir(dir, &c.ctx);
	f = ovl_layer_open(dir, O_RDONLY | O_DIRECTORY, true);
	if (IS_ERR(f)) {
		r = (int)PTR_ERR(f);
		f = NULL;
		return r;
	}
	do {
		c.n = 0;
		r = f->ops->getdents(f, &c.ctx);
	} while (!r && c.n);
	return r;
}

char *ovl_layer_link(struct inode *dir, const char *name, size_t len)
{
	char *buf __kfree = kmalloc(PATH_MAX), *text;
	s64 r = buf ? hostfs_readlink_in(dir, name, len, buf) : -ENOMEM;

	if (r < 0)
		return ERR_PTR(r);
	text = kstrndup(buf, (size_t)r);
	return text ? text : ERR_PTR(-ENOMEM);
}
