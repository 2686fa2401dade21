/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that are made of something else: binds, masked and read-only paths. */
#include "hostfs.h"
#include "mounts.h"
#include "vfs_impl.h"

/* What lies at a path now, if it is in a guest file system. */
static s64 found_guest(struct name *n, void *arg)
{
	struct path *out = arg;

	out->name = kstrdup(n->canon[0] ? n->canon : "/");
	if (!out->name)
		return -ENOMEM;
	out->mnt = n->mnt;
	out->inode = inode_get(n->inode);
	return 0;
}

/* A link of a guest file system leads to one of the host, where this kernel can't mount. */
static s64 found_host(struct name *n, void *arg)
{
	return -EXDEV;
}

static int find(const char *target, struct path *out)
{
	struct name n;

	name_at(&n, AT_FDCWD, target, 0);
	return name_run(&n, found_host, found_guest, out);
}

static int publish(const struct fs_type *type, const char *target, const char *source, u32 flags,
		   struct inode *root, u32 dev)
{
	struct mount *m = mount_new(type, target, source, flags, "");

	if (!m)
		return -ENOMEM;
	m->root = root;
	if (dev)
		m->dev = dev;
	mount_publish(m);
	return 0;
}

/* The same tree at a second place: identity stays, flags are the new mount's. */
int mount_bind(struct path *from, const char *target, u32 flags)
{
	return publish(from->mnt->type, target, from->mnt->source, flags, inode_get(from->inode),
		       from->mnt->dev);
}

int mount_readonly(const char *target)
{
	struct path p = {};
	int r = find(target, &p);

	if (r)
		return r;
	r = mount_bind(&p, p.name, p.mnt->flags | MS_RDONLY);
	path_put(&p);
	return r;
}

/* What covers a file, whether or not the container has a /dev. */
static int null_device(struct path *out)
{
	static struct path null;

	if (!null.mnt) {
		struct mount *m = mount_new(&devtmpfs_type, "/dev", "devtmpfs", 0, "");
		struct inode *root = NULL;
		int r = m ? m->type->mount(m, "", &root) : -ENOMEM;

		if (r)
			return r;
		guard(&root->lock);
		r = root->ops->lookup(root, "null", 4, &null.inode);
		if (r)
			return r;
		null.mnt = m;
	}
	path_copy(out, &null);
	return 0;
}

int mount_mask(const char *target)
{
	struct path p = {}, null = {};
	int r = find(target, &p);

	if (r)
		return r;
	if (S_ISDIR(p.inode->mode))
		r = mount_add(p.name, "tmpfs", "tmpfs", MS_RDONLY, "mode=0555");
	else
		r = null_device(&null);
	if (null.inode)
		r = mount_bind(&null, p.name, null.mnt->flags | MS_RDONLY);
	path_put(&null);
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

	if (!handle || !mount_match(target, &rest))
		return 0; /* the hypervisor mounted it */
	root = hostfs_handle_inode(handle);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->mnt_flags |= flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	make_place(target, S_ISDIR(root->mode));
	return publish(&hostfs_type, target, "bind", flags, root, 0);
}
