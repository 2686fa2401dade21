// SPDX-License-Identifier: Apache-2.0
/* Extended attributes of tmpfs: a list in each inode, charged to the file system's size. Names are whole, with their prefix. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "memfile.h"
#include "user_ns.h"
#include "vfs_impl.h"

#define PER_INODE (2u * XATTR_SIZE_MAX)

struct mem_xattr {
	struct mem_xattr *next;
	size_t size;
	char *value; /* behind the name */
	char name[];
};

static size_t weight(const struct mem_xattr *x)
{
	return sizeof(*x) + strlen(x->name) + 1 + x->size;
}

/* Where the one of this name, or NULL after the last one, hangs. */
static struct mem_xattr **find(struct mem_inode *m, const char *name)
{
	struct mem_xattr **at = &m->xattrs;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static int charge(struct mem_inode *m, s64 more)
{
	struct tmpfs *sb = m->sb;

	if (more > 0 && m->xattr_bytes + (u64)more > PER_INODE)
		return -ENOSPC;
	guard(&sb->lock);
	if (more > 0 && sb->max_bytes && sb->used_bytes + (u64)more > sb->max_bytes)
		return -ENOSPC;
	sb->used_bytes += (u64)more;
	m->xattr_bytes += (u64)more;
	return 0;
}

static void unhang(struct mem_inode *m, struct mem_xattr **at)
{
	struct mem_xattr *x = *at;

	*at = x->next;
	charge(m, -(s64)weight(x));
	kfree(x);
}

static int answer(void *buf, size_t size, const void *from, size_t len)
{
	if (!size)
		return (int)len;
	if (len > size)
		return -ERANGE;
	memcpy(buf, from, len);
	return (int)len;
}

int memfile_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct mem_xattr *x;

	guard(&i->lock);
	x = *find(mem_inode(i), name);
	return x ? answer(buf, size, x->value, x->size) : -ENODATA;
}

int memfile_listxattr(struct inode *i, char *buf, size_t size)
{
	size_t len = 0;

	guard(&i->lock);
	for (const struct mem_xattr *x = mem_inode(i)->xattrs; x; x = x->next) {
		size_t n = strlen(x->name) + 1;

		if (size && len + n > size)
			return -ERANGE;
		if (size)
			memcpy(buf + len, x->name, n);
		len += n;
	}
	return (int)len;
}

static struct mem_xattr *make(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name) + 1;
	struct mem_xattr *x = kzalloc(sizeof(*x) + len + size);

	if (!x)
		return NULL;
	memcpy(x->name, name, len);
	x->value = x->name + len;
	x->size = size;
	memcpy(x->value, value, size);
	return x;
}

static int set_locked(struct mem_inode *m, const char *name, const void *value, size_t size, u32 flags)
{
	struct mem_xattr **at = find(m, name), *x;
	int r;

	if (*at && flags & XATTR_CREATE)
		return -EEXIST;
	if (!*at && (flags & XATTR_REPLACE || !value))
		return -ENODATA;
	if (!value) {
		unhang(m, at);
		return 0;
	}
	x = make(name, value, size);
	if (!x)
		return -ENOMEM;
	r = charge(m, (s64)weight(x) - (*at ? (s64)weight(*at) : 0));
	if (r) {
		kfree(x);
		return r;
	}
	if (*at) {
		struct mem_xattr *old = *at;

		x->next = old->next;
		kfree(old);
	}
	*at = x;
	return 0;
}

int memfile_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
	int r;

	guard(&i->lock);
	r = set_locked(mem_inode(i), name, value, size, flags);
	if (!r)
		inode_touch(i, 0);
	return r;
}

void memfile_free_xattrs(struct mem_inode *m)
{
	while (m->xattrs)
		unhang(m, &m->xattrs);
}

void memfile_drop_privs(struct mem_inode *m)
{
	struct mem_xattr **at = find(m, XATTR_NAME_CAPS);
	u32 kill = m->i.mode & S_ISUID;

	if (*at)
		unhang(m, at);
	if ((m->i.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		kill |= S_ISGID;
	if (kill && S_ISREG(m->i.mode) && !capable(CAP_FSETID))
		m->i.mode &= ~kill;
}
