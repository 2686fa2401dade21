// SPDX-License-Identifier: Apache-2.0
/* Extended attributes of an overlay: those of the layer that the file is in, but for the overlay's own. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "overlay.h"

static bool is_own(const char *name)
{
	return strstarts(name, XATTR_TRUSTED_PREFIX "overlay.") || strstarts(name, XATTR_USER_PREFIX "overlay.");
}

int ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return is_own(name) ? -EOPNOTSUPP : ovl_layer_getxattr(ovl_real(ovl_inode(i)), name, buf, size);
}

int ovl_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
	struct ovl_inode *o = ovl_inode(i);
	int r = is_own(name) ? -EOPNOTSUPP : 0;

	/* Nothing is copied for what is not there. */
	if (!r && (!value || flags & XATTR_REPLACE))
		r = min(ovl_layer_getxattr(ovl_real(o), name, NULL, 0), 0);
	if (r)
		return r;
	mutex_lock(&o->sb->lock);
	r = ovl_copy_up(o, true);
	mutex_unlock(&o->sb->lock);
	return r ? r : o->upper->ops->setxattr(o->upper, name, value, size, flags);
}

static int without_own(char *list, int len)
{
	int to = 0;

	for (int at = 0, n; at < len; at += n) {
		n = (int)strlen(list + at) + 1;
		if (is_own(list + at))
			continue;
		memmove(list + to, list + at, (size_t)n);
		to += n;
	}
	return to;
}

int ovl_listxattr(struct inode *i, char *buf, size_t size)
{
	int r = ovl_layer_listxattr(ovl_real(ovl_inode(i)), buf, size);

	return r > 0 && size ? without_own(buf, r) : r;
}

/* Of the host's file systems come what programs set; not, say, what a security module there has to say. */
static bool is_copied(const char *name)
{
	return !is_own(name) && (strstarts(name, XATTR_USER_PREFIX) || strstarts(name, XATTR_TRUSTED_PREFIX) ||
				 !strcmp(name, XATTR_NAME_CAPS));
}

static int copy_one(struct inode *from, struct inode *to, const char *name, char *value)
{
	int r = ovl_layer_getxattr(from, name, value, XATTR_SIZE_MAX);

	return r < 0 ? r : to->ops->setxattr(to, name, value, (size_t)r, 0);
}

int ovl_copy_xattrs(struct inode *from, struct inode *to)
{
	char *list __kfree = kmalloc(XATTR_LIST_MAX), *value __kfree = NULL;
	int len = list ? ovl_layer_listxattr(from, list, XATTR_LIST_MAX) : -ENOMEM, r = 0;

	if (len <= 0)
		return len == -EOPNOTSUPP ? 0 : len;
	value = kmalloc(XATTR_SIZE_MAX);
	if (!value)
		return -ENOMEM;
	for (int at = 0; at < len && !r; at += (int)strlen(list + at) + 1)
		if (is_copied(list + at))
			r = copy_one(from, to, list + at, value);
	return r == -ENODATA ? 0 : r; /* gone meanwhile */
}
