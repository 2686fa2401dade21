/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs: a tree of inodes in kernel memory. devtmpfs is one with device nodes in it. */
#include <linux/magic.h>
#include <linux/fs.h>

#include "cred.h"
#include "fsnotify.h"
#include "memfile.h"
#include "tmpfs.h"
#include "user_ns.h"
#include "vfs_impl.h"

struct tmpfs_entry {
	struct list_head node;
	u64 cookie;
	struct mem_inode *inode; /* reference */
	size_t len;
	char name[];
};

static const struct inode_ops dir_ops, file_inode_ops, link_ops, node_ops;

/* ---- inodes ---- */

static const struct inode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &dir_ops;
	case S_IFREG:
		return &file_inode_ops;
	case S_IFLNK:
		return &link_ops;
	default:
		return &node_ops;
	}
}

static int take_inode(struct tmpfs *sb)
{
	guard(&sb->lock);
	if (sb->max_inodes && sb->inodes >= sb->max_inodes)
		return -ENOSPC;
	sb->inodes++;
	return 0;
}

static struct mem_inode *new_inode(struct tmpfs *sb, struct mount *mnt, u32 mode)
{
	struct mem_inode *m;

	if (take_inode(sb))
		return ERR_PTR(-ENOSPC);
	m = kzalloc(sizeof(*m));
	if (!m)
		return ERR_PTR(-ENOMEM);
	inode_init(&m->i, ops_for(mode), mnt, mode);
	if (current->cred)
		inode_own(&m->i);
	m->sb = sb;
	m->next_cookie = 2;
	m->seals = F_SEAL_SEAL;
	list_init(&m->entries);
	return m;
}

static void entry_free(struct tmpfs_entry *e)
{
	list_del(&e->node);
	inode_put(&e->inode->i);
	kfree(e);
}

static void tmpfs_release(struct inode *i)
{
	struct mem_inode *m = mem_inode(i);
	struct tmpfs_entry *e, *next;
	struct tmpfs *sb = m->sb;
	bool last;

	list_for_each_safe(e, next, &m->entries, node) entry_free(e);
	memfile_free(m);
	mutex_lock(&sb->lock);
	last = !--sb->inodes;
	mutex_unlock(&sb->lock);
	if (last) /* unmounted, and nobody uses any of it */
		kfree(sb);
	kfree(m->target);
	kfree(m);
}

bool tmpfs_owns(const struct inode *i)
{
	return i->ops->release == tmpfs_release;
}

/* ---- directories; their lock is held ---- */

static struct tmpfs_entry *find(struct mem_inode *dir, const char *name, size_t len)
{
	struct tmpfs_entry *e;

	list_for_each(e, &dir->entries, node)
		if (e->len == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

/* Takes over the reference to child. */
static int add(struct mem_inode *dir, const char *name, size_t len, struct mem_inode *child)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + len + 1);

	if (!e) {
		inode_put(&child->i);
		return -ENOMEM;
	}
	e->cookie = dir->next_cookie++;
	e->inode = child;
	e->len = len;
	memcpy(e->name, name, len);
	e->name[len] = '\0';
	list_add_tail(&e->node, &dir->entries);
	if (S_ISDIR(child->i.mode)) {
		child->i.parent = &dir->i;
		dir->i.nlink++;
	}
	dir->i.size += 20;
	inode_touch(&dir->i, ATTR_MTIME);
	return 0;
}

bool tmpfs_name_of(struct inode *dir, const struct inode *i, char *name)
{
	struct tmpfs_entry *e;

	if (dir->ops != &dir_ops)
		return false;
	guard(&dir->lock);
	list_for_each(e, &mem_inode(dir)->entries, node) {
		if (&e->inode->i == i) {
			memcpy(name, e->name, e->len + 1);
			return true;
		}
	}
	return false;
}

static int tmpfs_lookup(struct inode *i, const char *name, size_t len, struct inode **out)
{
	struct tmpfs_entry *e = find(mem_inode(i), name, len);

	if (!e)
		return -ENOENT;
	*out = inode_get(&e->inode->i);
	return 0;
}

static struct mem_inode *make(struct inode *i, u32 mode)
{
	struct mem_inode *dir = mem_inode(i), *m;

	if (!i->nlink)
		return ERR_PTR(-ENOENT);
	m = new_inode(dir->sb, i->mnt, mode);
	if (!IS_ERR(m) && (i->mode & S_ISGID)) {
		m->i.gid = i->gid;
		if (S_ISDIR(mode))
			m->i.mode |= S_ISGID;
	}
	return m;
}

static int tmpfs_create(struct inode *i, const char *name, size_t len, u32 mode, u64 rdev,
			struct inode **out)
{
	struct mem_inode *dir = mem_inode(i), *m;
	int r = 0;

	if (name && find(dir, name, len))
		return -EEXIST;
	m = make(i, mode);
	if (IS_ERR(m))
		return PTR_ERR(m);
	m->i.rdev = rdev;
	inode_get(&m->i);
	if (name) {
		r = add(dir, name, len, m);
	} else { /* O_TMPFILE */
		m->i.nlink = 0;
		inode_put(&m->i);
	}
	if (r || !out)
		inode_put(&m->i);
	else
		*out = &m->i;
	return r;
}

static int tmpfs_symlink(struct inode *i, const char *name, size_t len, const char *target)
{
	struct mem_inode *dir = mem_inode(i), *m;

	if (find(dir, name, len))
		return -EEXIST;
	m = make(i, S_IFLNK | 0777);
	if (IS_ERR(m))
		return PTR_ERR(m);
	m->target = kstrdup(target);
	m->i.size = strlen(target);
	if (!m->target) {
		inode_put(&m->i);
		return -ENOMEM;
	}
	return add(dir, name, len, m);
}

static int tmpfs_link(struct inode *i, const char *name, size_t len, struct inode *target)
{
	struct mem_inode *dir = mem_inode(i);
	int r;

	if (find(dir, name, len))
		return -EEXIST;
	inode_get(target);
	r = add(dir, name, len, mem_inode(target));
	if (!r) {
		__atomic_add_fetch(&target->nlink, 1, __ATOMIC_RELAXED);
		inode_touch(target, 0);
	}
	return r;
}

static void drop(struct mem_inode *dir, struct tmpfs_entry *e)
{
	struct inode *i = &e->inode->i;

	if (S_ISDIR(i->mode)) {
		i->nlink = 0;
		dir->i.nlink--;
	} else {
		__atomic_sub_fetch(&i->nlink, 1, __ATOMIC_RELAXED);
	}
	dir->i.size -= 20;
	inode_touch(i, 0);
	inode_touch(&dir->i, ATTR_MTIME);
	entry_free(e);
}

static int tmpfs_unlink(struct inode *i, const char *name, size_t len, bool rmdir)
{
	struct mem_inode *dir = mem_inode(i);
	struct tmpfs_entry *e = find(dir, name, len);

	if (!e)
		return -ENOENT;
	if (rmdir && !S_ISDIR(e->inode->i.mode))
		return -ENOTDIR;
	if (!rmdir && S_ISDIR(e->inode->i.mode))
		return -EISDIR;
	if (rmdir && !list_empty(&e->inode->entries))
		return -ENOTEMPTY;
	drop(dir, e);
	return 0;
}

/* May `from` take the place of `to`? */
static int check_replace(struct tmpfs_entry *from, struct tmpfs_entry *to)
{
	bool dir = S_ISDIR(from->inode->i.mode);

	if (dir && !S_ISDIR(to->inode->i.mode))
		return -ENOTDIR;
	if (!dir && S_ISDIR(to->inode->i.mode))
		return -EISDIR;
	return dir && !list_empty(&to->inode->entries) ? -ENOTEMPTY : 0;
}

static bool is_below(struct mem_inode *dir, struct mem_inode *ancestor)
{
	for (struct inode *i = &dir->i; i; i = i->parent)
		if (i == &ancestor->i)
			return true;
	return false;
}

static int exchange(struct mem_inode *d1, struct tmpfs_entry *a, struct mem_inode *d2,
		    struct tmpfs_entry *b)
{
	struct mem_inode *swap = a->inode;
	int dirs = !!S_ISDIR(b->inode->i.mode) - !!S_ISDIR(a->inode->i.mode);

	a->inode = b->inode;
	b->inode = swap;
	if (S_ISDIR(a->inode->i.mode))
		a->inode->i.parent = &d1->i;
	if (S_ISDIR(b->inode->i.mode))
		b->inode->i.parent = &d2->i;
	d1->i.nlink += dirs;
	d2->i.nlink -= dirs;
	return 0;
}

/* Both directories are locked by the caller. */
static int tmpfs_rename(struct inode *dir1, const char *name, size_t len, struct inode *dir2,
			const char *name2, size_t len2, u32 flags)
{
	struct mem_inode *d1 = mem_inode(dir1), *d2 = mem_inode(dir2);
	struct tmpfs_entry *from = find(d1, name, len), *to = find(d2, name2, len2);
	int r;

	if (!from || ((flags & RENAME_EXCHANGE) && !to))
		return -ENOENT;
	if (to && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (S_ISDIR(from->inode->i.mode) && is_below(d2, from->inode))
		return -EINVAL;
	if (to && to->inode == from->inode)
		return 0;
	if (flags & RENAME_EXCHANGE)
		return S_ISDIR(to->inode->i.mode) && is_below(d1, to->inode)
			       ? -EINVAL
			       : exchange(d1, from, d2, to);
	r = to ? check_replace(from, to) : 0;
	if (r)
		return r;
	if (to)
		drop(d2, to);
	inode_get(&from->inode->i);
	r = add(d2, name2, len2, from->inode);
	if (r)
		return r;
	if (S_ISDIR(from->inode->i.mode))
		d1->i.nlink--;
	d1->i.size -= 20;
	inode_touch(&d1->i, ATTR_MTIME);
	inode_touch(&from->inode->i, 0);
	entry_free(from);
	return 0;
}

static int tmpfs_readdir(struct inode *i, struct dir_context *ctx)
{
	struct mem_inode *dir = mem_inode(i);
	struct tmpfs_entry *e;

	guard(&i->lock);
	if (!dir_emit_dots(ctx, i))
		return 0;
	list_for_each(e, &dir->entries, node) {
		u32 type = (e->inode->i.mode & S_IFMT) >> 12;

		if (e->cookie < (u64)ctx->pos)
			continue;
		ctx->pos = e->cookie;
		if (!ctx->emit(ctx, e->name, e->len, e->inode->i.ino, type))
			return 0;
		ctx->pos = e->cookie + 1;
	}
	return 0;
}

/* ---- the rest ---- */

static int tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	return min(strlcpy(buf, mem_inode(i)->target, size), size - 1);
}

static int tmpfs_statfs(struct inode *i, struct statfs *st)
{
	struct tmpfs *sb = mem_inode(i)->sb;

	st->f_bsize = st->f_frsize = PAGE_SIZE;
	st->f_blocks = sb->max_bytes / PAGE_SIZE;
	st->f_bfree = st->f_bavail =
		(sb->max_bytes - min(sb->used_bytes, sb->max_bytes)) / PAGE_SIZE;
	st->f_files = sb->max_inodes;
	st->f_ffree = sb->max_inodes - min(sb->inodes, sb->max_inodes);
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = tmpfs_lookup,
	.readdir = tmpfs_readdir,
	.create = tmpfs_create,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rename = tmpfs_rename,
	.statfs = tmpfs_statfs,
	.getxattr = memfile_getxattr,
	.setxattr = memfile_setxattr,
	.listxattr = memfile_listxattr,
	.release = tmpfs_release,
};

static const struct inode_ops file_inode_ops = {
	.open = memfile_open,
	.setattr = memfile_setattr,
	.statfs = tmpfs_statfs,
	.getxattr = memfile_getxattr,
	.setxattr = memfile_setxattr,
	.listxattr = memfile_listxattr,
	.release = tmpfs_release,
};

static const struct inode_ops link_ops = {
	.readlink = tmpfs_readlink,
	.statfs = tmpfs_statfs,
	.getxattr = memfile_getxattr,
	.setxattr = memfile_setxattr,
	.listxattr = memfile_listxattr,
	.release = tmpfs_release,
};

static const struct inode_ops node_ops = {
	.statfs = tmpfs_statfs,
	.getxattr = memfile_getxattr,
	.setxattr = memfile_setxattr,
	.listxattr = memfile_listxattr,
	.release = tmpfs_release,
};

/* ---- mounting ---- */

/* "64k", "10%" of the memory, "4096". */
static u64 parse_size(const char *text)
{
	u64 n = 0;
	const char *end = text;

	if (!parse_u64(text, &end, 10, &n))
		return 0;
	switch (*end) {
	case 'k':
	case 'K':
		return n << 10;
	case 'm':
	case 'M':
		return n << 20;
	case 'g':
	case 'G':
		return n << 30;
	case '%':
		return tmpfs_default_size() / 50 * n;
	default:
		return n;
	}
}

static void parse_option(const char *o, struct tmpfs *sb)
{
	const char *end;
	u64 n = 0;

	if (strstarts(o, "size=")) {
		sb->max_bytes = parse_size(o + 5);
		sb->sized = true;
	} else if (strstarts(o, "nr_blocks=")) {
		sb->max_bytes = parse_size(o + 10) * PAGE_SIZE;
		sb->sized = true;
	} else if (strstarts(o, "nr_inodes=")) {
		sb->max_inodes = parse_size(o + 10);
		sb->counted = true;
	} else if (strstarts(o, "mode=") && parse_u64(o + 5, &end, 8, &n)) {
		sb->mode = n & 07777;
	} else if (strstarts(o, "uid=") && parse_u64(o + 4, &end, 10, &n)) {
		sb->uid = current->cred ? make_kuid(current_user_ns(), n) : n;
	} else if (strstarts(o, "gid=") && parse_u64(o + 4, &end, 10, &n)) {
		sb->gid = current->cred ? make_kgid(current_user_ns(), n) : n;
	}
}

static void parse_options(const char *options, struct tmpfs *sb)
{
	for (const char *o = options; o && *o; o = strchr(o, ',') ? strchr(o, ',') + 1 : NULL)
		parse_option(o, sb);
}

int tmpfs_mount(struct mount *m, const char *options, struct inode **root)
{
	struct tmpfs *sb = kzalloc(sizeof(*sb));
	struct mem_inode *r;

	if (!sb)
		return -ENOMEM;
	sb->max_bytes = tmpfs_default_size();
	sb->max_inodes = max(sb->max_bytes / 4096, (u64)1024);
	sb->mode = 01777;
	if (current->cred && current_user_ns() != &init_user_ns) {
		sb->uid = current->cred->fsuid;
		sb->gid = current->cred->fsgid;
	}
	parse_options(options, sb);
	r = new_inode(sb, m, S_IFDIR | sb->mode);
	if (IS_ERR(r)) {
		kfree(sb);
		return PTR_ERR(r);
	}
	r->i.uid = sb->uid;
	r->i.gid = sb->gid;
	m->priv = sb;
	*root = &r->i;
	return 0;
}

static void show(char *buf, size_t size, const char *fmt, u64 n)
{
	size_t at = strlen(buf);

	if (at && at + 1 < size)
		buf[at++] = ',';
	snprintf(buf + at, size - at, fmt, n);
}

int tmpfs_show_options(struct mount *m, char *buf, size_t size)
{
	const struct tmpfs *sb = m->priv;

	buf[0] = '\0';
	if (sb->sized)
		show(buf, size, "size=%luk", sb->max_bytes >> 10);
	if (sb->counted)
		show(buf, size, "nr_inodes=%lu", sb->max_inodes);
	if (sb->mode != 01777)
		show(buf, size, "mode=%03lo", sb->mode);
	if (sb->uid)
		show(buf, size, "uid=%lu", show_uid(sb->uid));
	if (sb->gid)
		show(buf, size, "gid=%lu", show_gid(sb->gid));
	return (int)strlen(buf);
}

/* Only the limits change; not below what is used. */
static int tmpfs_remount(struct mount *m, const char *options)
{
	struct tmpfs *sb = m->priv, want = {.max_bytes = sb->max_bytes, .max_inodes = sb->max_inodes};

	parse_options(options, &want);
	guard(&sb->lock);
	if ((want.max_bytes && want.max_bytes < sb->used_bytes) ||
	    (want.max_inodes && want.max_inodes < sb->inodes))
		return -EINVAL;
	sb->max_bytes = want.max_bytes;
	sb->max_inodes = want.max_inodes;
	sb->sized |= want.sized;
	sb->counted |= want.counted;
	return 0;
}

struct fs_type tmpfs_type = {
	.name = "tmpfs",
	.magic = TMPFS_MAGIC,
	.mount = tmpfs_mount,
	.show_options = tmpfs_show_options,
	.remount = tmpfs_remount,
};

struct fs_type ramfs_type = {
	.name = "ramfs",
	.magic = RAMFS_MAGIC,
	.mount = tmpfs_mount,
	.show_options = tmpfs_show_options,
};
