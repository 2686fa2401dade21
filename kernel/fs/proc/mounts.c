// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/{mounts,mountinfo,mountstats}, /proc/filesystems: proc(5), fstab(5). */
#include "proc.h"

#include <linux/mount.h>

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

static void show_mount(struct seq *m, struct mount *mnt)
{
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_putc(m, ' ');
	seq_escape(m, mnt->target, ESCAPED);
	seq_printf(m, " %s ", mount_fstype(mnt));
	show_flags(m, mnt->flags);
	show_fs_options(m, mnt, ",");
	seq_puts(m, " 0 0\n");
}

/* Which part of its file system is mounted: of a piece that was mounted on itself, the way to it. */
static const char *root_of(const struct mount *mnt)
{
	struct mount *whole;

	list_for_each(whole, &mounts, node) {
		size_t len = strlen(whole->target);

		if (whole == mnt)
			break;
		if (whole->dev == mnt->dev && !strncmp(mnt->target, whole->target, len) &&
		    mnt->target[len] == '/')
			return mnt->target + len;
	}
	return "/";
}

static void show_mountinfo(struct seq *m, struct mount *mnt)
{
	seq_printf(m, "%d %d 0:%u ", mnt->id, mnt->parent_id, mnt->dev);
	seq_escape(m, root_of(mnt), ESCAPED);
	seq_putc(m, ' ');
	seq_escape(m, mnt->target, ESCAPED);
	seq_putc(m, ' ');
	show_flags(m, mnt->flags);
	seq_printf(m, " - %s ", mount_fstype(mnt));
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_puts(m, mnt->flags & MS_RDONLY ? " ro" : " rw");
	show_fs_options(m, mnt, ",");
	seq_putc(m, '\n');
}

static void show_mountstats(struct seq *m, struct mount *mnt)
{
	seq_puts(m, "device ");
	seq_escape(m, source_of(mnt), ESCAPED);
	seq_puts(m, " mounted on ");
	seq_escape(m, mnt->target, ESCAPED);
	seq_printf(m, " with fstype %s\n", mount_fstype(mnt));
}

static int each_mount(struct seq *m, void (*show)(struct seq *m, struct mount *mnt))
{
	struct mount *mnt;

	guard(&mounts_lock);
	list_for_each(mnt, &mounts, node)
		show(m, mnt);
	return 0;
}

int proc_mounts(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, show_mount);
}

int proc_mountinfo(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, show_mountinfo);
}

int proc_mountstats(struct seq *m, const struct pseudo_ctx *c)
{
	return each_mount(m, show_mountstats);
}

int proc_filesystems(struct seq *m, const struct pseudo_ctx *c)
{
	const struct fs_type *t;

	for (u32 i = 0; (t = fs_nth(i)); i++)
		seq_printf(m, "nodev\t%s\n", t->name);
	return 0;
}
