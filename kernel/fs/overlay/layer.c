/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of an overlay: tmpfs by its inode operations, the host's directories by PV calls. */
#include <linux/limits.h>

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
	char c;

	if (!tmpfs_owns(dir))
		return false;
	return mem_inode(dir)->opaque || (memfile_getxattr(dir, "trusted.overlay.opaque", &c, 1) == 1 && c == 'y') ||
	       (memfile_getxattr(dir, "user.overlay.opaque", &c, 1) == 1 && c == 'y');
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

struct attribute {
	const char *name; /* NULL: the list of them */
	void *buf;
	size_t size;
};

static s64 host_attribute(struct name *n, void *arg)
{
	const struct attribute *a = arg;
	struct pv_slot s;
	s64 r;

	host_begin(&s, a->name ? PV_GETXATTR : PV_LISTXATTR, n);
	if (a->name)
		host_path2(&s, a->name, strlen(a->name));
	s.req.u.path.arg = min(a->size, (size_t)XATTR_SIZE_MAX);
	r = host_call(&s, n);
	if (r > 0 && a->size) {
		if ((u64)r > a->size)
			r = -ERANGE;
		else
			memcpy(a->buf, s.buf, (size_t)r);
	}
	host_end(&s);
	return r;
}

int ovl_layer_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct attribute a = {name, buf, size};
	struct name n;

	if (!inode_is_host(i))
		return i->ops->getxattr ? i->ops->getxattr(i, name, buf, size) : -EOPNOTSUPP;
	name_of_handle(&n, i, true);
	return (int)name_run(&n, host_attribute, not_guest, &a);
}

int ovl_layer_listxattr(struct inode *i, char *buf, size_t size)
{
	struct attribute a = {NULL, buf, size};
	struct name n;

	if (!inode_is_host(i))
		return i->ops->listxattr ? i->ops->listxattr(i, buf, size) : -EOPNOTSUPP;
	name_of_handle(&n, i, true);
	return (int)name_run(&n, host_attribute, not_guest, &a);
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
