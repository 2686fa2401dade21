// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/{mounts,mountinfo,mountstats}, /proc/filesystems: proc(5), fstab(5). */
#include "proc.h"

#include <linux/mount.h>
#include <linux/poll.h>

#include "mounts.h"

#define ESCAPED " \t\n#"

static const char *mount_fstype(const struct mount *mnt)
{
	return mnt->fstype ? mnt->fstype : mnt->type->name;
}

static void show_flags(struct seq *m, u32 flags)
{
	seq_puts(m, flags & MS_RDONLY ? "ro" : "rw");
	seq_puts(m, flags & MS_NOSUID ? ",nosuid" : "");
	seq_puts(m, flags & MS_NODEV ? ",nodev" : "");
	seq_puts(m, flags & MS_NOEXEC ? ",noexec" : "");
	seq_puts(m, flags & MS_NOATIME ? ",noatime" : "");
	seq_puts(m, flags & MS_NODIRATIME ? ",nodiratime" : "");
	seq_puts(m, flags & (MS_NOATIME | MS_STRICTATIME) ? "" : ",relatime");
	seq_puts(m, flags & MS_NOSYMFOLLOW ? ",nosymfollow" : "");
}

/* Options of the file system itself, behind those of the mount. */
static void show_fs_options(struct seq *m, struct mount *mnt, const char *before)
{
	char text[512];

	if (mnt->type->show_options) {
		text[0] = '\0';
		if (mnt->type->show_options(mnt, text, sizeof(text)) >= 0 && text[0]) {
			seq_puts(m, before);
			seq_puts(m, text);
		}
	} else if (mnt->options && mnt->options[0]) {
		seq_puts(m, before);
		seq_escape(m, mnt->options, ESCAPED);
	}
}

static const char *source_of(const struct mount *mnt)
{
	return mnt->source && mnt->source[0] ? mnt->source : "none";
}

static void show_mount(struct seq *m, struct mount *mnt, const char *at)
{
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_putc(m, ' ');
	seq_escape(m, at, ESCAPED);
	seq_printf(m, " %s ", mount_fstype(mnt));
	show_flags(m, mnt->flags);
	show_fs_options(m, mnt, ",");
	seq_puts(m, " 0 0\n");
}

/* Which part of its file system is mounted. Of the host's mounts we know only where they are. */
static const char *root_of(const struct mount *mnt)
{
	return mnt->root && mnt->base[0] ? mnt->base : "/";
}

static void show_propagation(struct seq *m, const struct mount *mnt)
{
	if (mnt->peers)
		seq_printf(m, " shared:%d", mnt->peers);
	if (mnt->master)
		seq_printf(m, " master:%d", mnt->master);
	seq_puts(m, mnt->unbindable ? " unbindable" : "");
}

static void show_mountinfo(struct seq *m, struct mount *mnt, const char *at)
{
	seq_printf(m, "%d %d 0:%u ", mnt->id, mnt->parent->id, mnt->dev);
	seq_escape(m, root_of(mnt), ESCAPED);
	seq_putc(m, ' ');
	seq_escape(m, at, ESCAPED);
	seq_putc(m, ' ');
	show_flags(m, mnt->flags);
	show_propagation(m, mnt);
	seq_printf(m, " - %s ", mount_fstype(mnt));
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_puts(m, mnt->flags & MS_RDONLY ? " ro" : " rw");
	show_fs_options(m, mnt, ",");
	seq_putc(m, '\n');
}

static void show_mountstats(struct seq *m, struct mount *mnt, const char *at)
{
	seq_puts(m, "device ");
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_puts(m, " mounted on ");
	seq_escape(m, at, ESCAPED);
	seq_printf(m, " with fstype %s\n", mount_fstype(mnt));
}

typedef void (*show_fn)(struct seq *m, struct mount *mnt, const char *at);

/* What lies below the process' root directory. */
static void show_reached(struct seq *m, struct mnt_ns *ns, const struct path *root, show_fn show)
{
	struct mount *mnt;

	guard(&mounts_lock);
	list_for_each(mnt, &ns->mounts, node) {
		bool reached;
		char *at = mount_path_locked(mnt, mnt->base, root, &reached);

		if (at && reached)
			show(m, mnt, at);
		kfree(at);
	}
}

static int each_mount(struct seq *m, const struct pseudo_ctx *c, show_fn show)
{
	struct fs_ctx *fs = proc_fs(c, PROC_ANYONE);
	struct mnt_ns *ns;
	struct path root;

	if (IS_ERR(fs))
		return PTR_ERR(fs) == -ENOENT ? -EINVAL : (int)PTR_ERR(fs);
	mutex_lock(&fs->lock);
	path_copy(&root, &fs->root);
	ns = mnt_ns_get(fs->mnt_ns);
	mutex_unlock(&fs->lock);
	show_reached(m, ns, &root, show);
	mnt_ns_put(ns);
	path_put(&root);
	fs_ctx_put(fs);
	return 0;
}

int proc_mounts(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, c, show_mount);
}

int proc_mountinfo(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, c, show_mountinfo);
}

int proc_mountstats(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, c, show_mountstats);
}

/* POLLPRI and POLLERR once for each change: proc(5). The namespace is that of now. */
u32 proc_mounts_poll(const struct pseudo_ctx *c, struct file *f, struct poll_table *pt, u32 *seen)
{
	struct fs_ctx *fs = proc_fs(c, PROC_ANYONE);
	u32 event;

	poll_wait(pt, f, &mounts_changed);
	if (IS_ERR(fs))
		return POLLIN | POLLRDNORM;
	event = __atomic_load_n(&fs->mnt_ns->event, __ATOMIC_ACQUIRE) + 1;
	fs_ctx_put(fs);
	if (*seen == event)
		return POLLIN | POLLRDNORM;
	*seen = event;
	return POLLIN | POLLRDNORM | POLLPRI | POLLERR;
}

int proc_filesystems(struct seq *m, const struct pseudo_ctx *c)
{
	const struct fs_type *t;

	for (u32 i = 0; (t = fs_nth(i)); i++)
		seq_printf(m, "nodev\t%s\n", t->name);
	return 0;
}
