// SPDX-License-Identifier: Apache-2.0
/* Files that stand for namespaces: what /proc/PID/ns leads to, and the questions of ioctl_ns(2). */
#include <linux/nsfs.h>

#include "mounts.h"
#include "pid_ns.h"
#include "user_ns.h"
#include "vfs_impl.h"

static s64 ns_ioctl(struct file *f, u32 cmd, u64 arg);

static const struct file_ops ns_file_ops = { .ioctl = ns_ioctl };

static int ns_open(struct inode *i, struct file *f)
{
	f->ops = &ns_file_ops;
	return 0;
}

static void ns_release(struct inode *i)
{
	ns_put(i->priv);
	kfree(i);
}

static int no_setattr(struct inode *i, const struct iattr *a)
{
	return -EPERM;
}

static const struct inode_ops ns_inode_ops = {
	.open = ns_open,
	.setattr = no_setattr,
	.release = ns_release,
};

/* In no tree: what is bound from it is a mount like others, and keeps the namespace. */
struct fs_type nsfs_type = { .name = "nsfs", .magic = 0x6e736673 };

static struct mount *nsfs(void)
{
	static struct mutex lock;
	static struct mount *mount;

	guard(&lock);
	if (!mount)
		mount = mount_new(&nsfs_type, "nsfs", 0, "");
	return mount_get(mount);
}

int ns_path(struct ns *ns, struct path *out)
{
	memset(out, 0, sizeof(*out));
	out->inode = inode_new(&ns_inode_ops, NULL, S_IFREG | 0444);
	if (!out->inode) {
		ns_put(ns);
		return -ENOMEM;
	}
	out->mnt = nsfs();
	out->inode->ino = ns->inum;
	out->inode->priv = ns;
	out->name = kasprintf("%s:[%u]", ns_name(ns->kind), ns->inum);
	return 0;
}

struct ns *ns_of_inode(const struct inode *i)
{
	return i->ops == &ns_inode_ops ? i->priv : NULL;
}

struct ns *ns_of_file(struct file *f)
{
	return f->inode ? ns_of_inode(f->inode) : NULL;
}

/* ---- ioctl_ns(2) ---- */

/* Takes over the reference, or an error. */
static s64 open_ns(struct ns *ns)
{
	struct path p;
	struct file *f;
	int err;

	if (IS_ERR(ns))
		return PTR_ERR(ns);
	err = ns_path(ns, &p);
	if (err)
		return err;
	f = inode_open_file(p.inode, NULL, O_RDONLY);
	if (!IS_ERR(f)) {
		f->name = p.name;
		p.name = NULL;
	}
	path_put(&p);
	return IS_ERR(f) ? PTR_ERR(f) : fd_install(f, true);
}

/* Who owns it, if that is the caller's user namespace or one below it. */
static struct ns *owner_of(struct ns *ns)
{
	struct user_ns *u = ns->kind != NS_USER && !ns->user ? &init_user_ns : ns->user;

	return u && user_ns_within(u, current_user_ns()) ? ns_get(&u->ns) : ERR_PTR(-EPERM);
}

static struct ns *parent_of(struct ns *ns)
{
	struct pid_ns *parent, *p;

	if (ns->kind == NS_USER)
		return owner_of(ns);
	if (ns->kind != NS_PID)
		return ERR_PTR(-EINVAL);
	parent = pid_ns_of(ns)->parent;
	for (p = parent; p; p = p->parent)
		if (p == task_pid_ns(current))
			return ns_get(&parent->ns);
	return ERR_PTR(-EPERM);
}

static s64 ns_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct ns *ns = ns_of_file(f);
	u32 uid;

	switch (cmd) {
	case NS_GET_USERNS:
		return open_ns(owner_of(ns));
	case NS_GET_PARENT:
		return open_ns(parent_of(ns));
	case NS_GET_NSTYPE:
		return (s64)ns_flag(ns->kind);
	case NS_GET_OWNER_UID:
		if (ns->kind != NS_USER)
			return -EINVAL;
		uid = show_uid(user_ns_of(ns)->owner_uid);
		return mc_copy_to_user(arg, &uid, sizeof(uid)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}
