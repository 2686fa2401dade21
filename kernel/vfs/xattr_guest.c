// SPDX-License-Identifier: Apache-2.0
/* Extended attributes of guest file systems: who may, which names there are, and file capabilities, which have a user namespace. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "fsnotify.h"
#include "user_ns.h"
#include "vfs_impl.h"
#include "xattr.h"

static int may_user(struct inode *i, bool write)
{
	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	return write && S_ISDIR(i->mode) && i->mode & S_ISVTX && !inode_owner_or_capable(i) ? -EPERM : 0;
}

/* In the order of Linux: first whose names those are, then the file's mode. */
static int permission(struct inode *i, const char *name, bool write)
{
	int r = 0;

	if (strstarts(name, XATTR_SECURITY_PREFIX) || strstarts(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (strstarts(name, XATTR_TRUSTED_PREFIX)) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (strstarts(name, XATTR_USER_PREFIX))
		r = may_user(i, write);
	return r ? r : inode_permission(i, write ? MAY_WRITE : MAY_READ);
}

/* Names of other classes are nobody's; a class alone is no name. */
static int known(const struct inode *i, const char *name)
{
	static const char *const classes[] = { XATTR_SECURITY_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_USER_PREFIX };

	for (u32 c = 0; i->ops->getxattr && c < ARRAY_SIZE(classes); c++)
		if (strstarts(name, classes[c]))
			return name[strlen(classes[c])] ? 0 : -EINVAL;
	return -EOPNOTSUPP;
}

/* ---- file capabilities: kept with the kernel's id of the root they are for ---- */

static bool caps_valid(const struct vfs_ns_cap_data *d, size_t size)
{
	u32 version = d->magic_etc & VFS_CAP_REVISION_MASK;

	return (size == XATTR_CAPS_SZ_2 && version == VFS_CAP_REVISION_2) ||
	       (size == XATTR_CAPS_SZ_3 && version == VFS_CAP_REVISION_3);
}

static u32 caps_root(const struct vfs_ns_cap_data *d, size_t size)
{
	return size == XATTR_CAPS_SZ_3 ? d->rootid : 0;
}

static bool owns_here(u32 root)
{
	for (const struct user_ns *u = current_user_ns(); u; u = user_ns_parent(u))
		if (u->uid.root == root)
			return true;
	return false;
}

static void caps_version(struct vfs_ns_cap_data *d, u32 version, u32 root)
{
	d->magic_etc = (d->magic_etc & ~(u32)VFS_CAP_REVISION_MASK) | version;
	d->rootid = root;
}

/* *size becomes what is to be kept. */
static int caps_in(struct inode *i, struct vfs_ns_cap_data *d, size_t *size)
{
	u32 root;

	if (!caps_valid(d, *size))
		return -EINVAL;
	if (!capable_inode(i, CAP_SETFCAP))
		return -EPERM;
	if (*size == XATTR_CAPS_SZ_2 && ns_capable(&init_user_ns, CAP_SETFCAP))
		return 0;
	root = make_kuid(current_user_ns(), caps_root(d, *size));
	if (root == NO_ID)
		return -EINVAL;
	caps_version(d, VFS_CAP_REVISION_3, root);
	*size = XATTR_CAPS_SZ_3;
	return 0;
}

/* As the caller's namespace has them; size or -EOVERFLOW: they are for another one. */
static int caps_out(struct vfs_ns_cap_data *d, size_t size)
{
	u32 root, shown;

	if (!caps_valid(d, size))
		return -EINVAL;
	root = caps_root(d, size);
	shown = from_kuid(current_user_ns(), root);
	if (shown != NO_ID && shown) {
		caps_version(d, VFS_CAP_REVISION_3, shown);
		return XATTR_CAPS_SZ_3;
	}
	if (!owns_here(root))
		return -EOVERFLOW;
	caps_version(d, VFS_CAP_REVISION_2, 0);
	return XATTR_CAPS_SZ_2;
}

int xattr_guest_caps(struct inode *i, void *value)
{
	struct vfs_ns_cap_data d = { 0 };
	int r = i->ops->getxattr ? i->ops->getxattr(i, XATTR_NAME_CAPS, &d, sizeof(d)) : -ENODATA;

	if (r < 0 || !caps_valid(&d, (size_t)r) || !owns_here(caps_root(&d, (size_t)r)))
		return -ENODATA;
	caps_version(&d, VFS_CAP_REVISION_2, 0);
	memcpy(value, &d, XATTR_CAPS_SZ_2);
	return XATTR_CAPS_SZ_2;
}

static int get_caps(struct inode *i, void *buf, size_t size)
{
	struct vfs_ns_cap_data d = { 0 };
	int r = i->ops->getxattr(i, XATTR_NAME_CAPS, &d, sizeof(d));

	if (r >= 0)
		r = caps_out(&d, (size_t)r);
	if (r <= 0 || !size)
		return r;
	if ((size_t)r > size)
		return -ERANGE;
	memcpy(buf, &d, (size_t)r);
	return r;
}

/* ---- the calls ---- */

s64 xattr_guest_get(struct name *n, void *arg)
{
	struct xattr *x = arg;
	struct inode *i = n->inode;
	size_t size = min(x->size, (u64)XATTR_SIZE_MAX);
	char *buf __kfree = NULL;
	int r = permission(i, x->name, false);

	if (!r)
		r = known(i, x->name);
	if (r)
		return r;
	if (size && !(buf = kmalloc(size)))
		return -ENOMEM;
	r = strcmp(x->name, XATTR_NAME_CAPS) ? i->ops->getxattr(i, x->name, buf, size) : get_caps(i, buf, size);
	if (r > 0 && size && mc_copy_to_user(x->value, buf, (size_t)r))
		return -EFAULT;
	return r;
}

/* May the caller change it? *caps: it is file capabilities. */
static int may_change(struct name *n, const struct xattr *x, bool *caps)
{
	int r = n->mnt && (n->mnt->flags & MS_RDONLY) ? -EROFS : permission(n->inode, x->name, true);

	*caps = !strcmp(x->name, XATTR_NAME_CAPS);
	if (!r && !*caps && strstarts(x->name, XATTR_SECURITY_PREFIX) && !capable(CAP_SYS_ADMIN))
		r = -EPERM;
	return r;
}

s64 xattr_guest_set(struct name *n, void *arg)
{
	struct xattr *x = arg;
	size_t size = x->size;
	char *buf __kfree = kzalloc(max(size, sizeof(struct vfs_ns_cap_data)));
	bool caps;
	int r;

	if (!buf)
		return -ENOMEM;
	if (mc_copy_from_user(buf, x->value, size))
		return -EFAULT;
	r = may_change(n, x, &caps);
	if (!r && caps)
		r = caps_in(n->inode, (struct vfs_ns_cap_data *)buf, &size);
	if (!r)
		r = known(n->inode, x->name);
	if (!r)
		r = n->inode->ops->setxattr(n->inode, x->name, buf, size, x->flags);
	if (!r)
		fsnotify_inode(n->inode, IN_ATTRIB);
	return r;
}

s64 xattr_guest_remove(struct name *n, void *arg)
{
	struct xattr *x = arg;
	bool caps;
	int r = may_change(n, x, &caps);

	if (!r && caps && !capable_inode(n->inode, CAP_SETFCAP))
		r = -EPERM;
	if (!r)
		r = known(n->inode, x->name);
	if (!r)
		r = n->inode->ops->setxattr(n->inode, x->name, NULL, 0, 0);
	if (!r)
		fsnotify_inode(n->inode, IN_ATTRIB);
	return r;
}

/* Without the names that the caller may not read; the length that is left. */
static int visible(char *list, int len)
{
	int to = 0;

	for (int at = 0; at < len;) {
		int n = (int)strlen(list + at) + 1;

		if (!strstarts(list + at, XATTR_TRUSTED_PREFIX) || capable(CAP_SYS_ADMIN)) {
			memmove(list + to, list + at, (size_t)n);
			to += n;
		}
		at += n;
	}
	return to;
}

s64 xattr_guest_list(struct name *n, void *arg)
{
	struct xattr *x = arg;
	char *buf __kfree = NULL;
	int r;

	if (!n->inode->ops->listxattr)
		return 0;
	buf = kmalloc(XATTR_LIST_MAX);
	if (!buf)
		return -ENOMEM;
	r = n->inode->ops->listxattr(n->inode, buf, XATTR_LIST_MAX);
	if (r < 0)
		return r == -ERANGE ? -E2BIG : r;
	r = visible(buf, r);
	if (x->size && (u64)r > x->size)
		return -ERANGE;
	return x->size && mc_copy_to_user(x->value, buf, (size_t)r) ? -EFAULT : r;
}
