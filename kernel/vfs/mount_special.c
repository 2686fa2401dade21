/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that are made of something else: binds, masked and read-only paths. */
#include "hostfs.h"
#include "mounts.h"
#include "vfs_impl.h"

/* What lies at a path now, if it is in a guest file system. */
static s64 found_guest(struct name *n, void *arg)
{
	struct path *out = arg;

	out->name = kstrdup(n->canon);
	if (!out->name)
		return -ENOMEM;
	out->mnt = mount_get(n->mnt);
	out->inode = inode_get(n->inode);
	return 0;
}

/* A link of a guest file system leads to one of the host, where this kernel can't mount. */
static s64 found_host(struct name *n, void *arg)
{
	return -EXDEV;
}

/* *text: its path in the container. */
static int find(const char *target, struct path *out, char **text)
{
	struct name n;
	int r;

	name_at(&n, AT_FDCWD, target, 0);
	r = (int)name_run(&n, found_host, found_guest, out);
	if (r)
		return r;
	*text = path_text(out);
	return *text ? 0 : -ENOMEM;
}

/* The same tree at a second place: identity stays, flags are the new mount's. */
static int mount_bind(struct path *from, const char *target, u32 flags)
{
	const char *base = from->name && strcmp(from->name, "/") ? from->name : "";
	struct mount *m = mount_clone(from->mnt, from->inode, base);

	if (!m)
		return -ENOMEM;
	m->flags = flags;
	mount_publish(m, target);
	return 0;
}

int mount_readonly(const char *target)
{
	struct path p = {};
	char *text = NULL;
	int r = find(target, &p, &text);

	if (!r)
		r = mount_bind(&p, text, p.mnt->flags | MS_RDONLY);
	kfree(text);
	path_put(&p);
	return r;
}

/* What covers a file, whether or not the container has a /dev. */
static int null_device(struct path *out)
{
	static struct path null;

	if (!null.mnt) {
		struct mount *m = mount_make(&devtmpfs_type, "devtmpfs", 0, "");
		int r;

		if (IS_ERR(m))
			return (int)PTR_ERR(m);
		guard(&m->root->lock);
		r = m->root->ops->lookup(m->root, "null", 4, &null.inode);
		if (r)
			return r;
		null.mnt = m;
		null.name = kstrdup("/null");
	}
	path_copy(out, &null);
	return 0;
}

int mount_mask(const char *target)
{
	struct path p = {}, null = {};
	char *text = NULL;
	int r = find(target, &p, &text);

	if (!r && S_ISDIR(p.inode->mode))
		r = mount_add(text, "tmpfs", "tmpfs", MS_RDONLY, "mode=0555");
	else if (!r)
		r = null_device(&null);
	if (null.inode)
		r = mount_bind(&null, text, null.mnt->flags | MS_RDONLY);
	path_put(&null);
	kfree(text);
	path_put(&p);
	return r;
}

/* The place must exist for listings of its directory; names never ask for what it holds. */
static void make_place(const char *target, bool dir)
{
	char *up = kstrdup(target), *slash = up ? strrchr(up, '/') : NULL;
	struct file *f;

	if (slash && slash != up) {
		*slash = '\0';
		vfs_mkdir_kernel(up, 0755);
	}
	kfree(up);
	if (dir) {
		vfs_mkdir_kernel(target, 0755);
		return;
	}
	f = vfs_open(AT_FDCWD, target, O_CREAT | O_RDONLY, 0644);
	if (!IS_ERR(f))
		file_put(f);
}

int mount_bind_handle(const char *target, u32 handle, u32 flags)
{
	const char *rest;
	struct inode *root;
	struct mount *m;

	if (!handle || !mount_match(target, &rest))
		return 0; /* the hypervisor mounted it */
	root = hostfs_handle_inode(handle);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->mnt_flags |= flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	make_place(target, S_ISDIR(root->mode));
	m = mount_new(&hostfs_type, "bind", flags, "");
	if (!m)
		return -ENOMEM;
	m->root = root;
	mount_publish(m, target);
	return 0;
}
