/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated file systems (proc, sysfs): a static tree of entries, some of whose directories
 * also have members that come and go. Inodes are made when a name is looked up and die with
 * their last user; nothing is cached.
 */
#ifndef PSEUDO_H
#define PSEUDO_H

#include "fs.h"
#include "seq.h"

struct cgroup;
struct cred;
struct pid_ns;
struct pseudo_entry;

/* Which one of the objects that an entry describes. Children inherit it from their directory. */
struct pseudo_ctx {
	const struct pseudo_entry *e;
	int pid, tid; /* proc: the process; the thread, 0 for the process itself */
	int n;        /* proc: a descriptor; sysfs: an index */
	struct pid_ns *pids; /* proc: the pid namespace that it was mounted in; NULL: the first. Counted by inodes */
	struct cgroup *cg;   /* cgroups: which; the open file holds it */
	struct cred *by;     /* of a file that is open: who opened it. Counted by that */
	u64 start;    /* proc: start time, so that a pid used again is not taken for the old one */
};

struct pseudo_entry {
	const char *name; /* NULL ends a table */
	u32 mode;         /* with the type */
	/* Regular files: may the caller open it for reading? 0 or -errno. What its reader may see is the reader's affair as well. */
	int (*may_open)(const struct pseudo_ctx *c);
	/* Regular files: write the text. Symlinks: the target. 0 or -errno. */
	int (*show)(struct seq *m, const struct pseudo_ctx *c);
	/* text is terminated, len bytes; modifiable. Bytes used or -errno. NULL: -EACCES at open for writing. */
	s64 (*store)(const struct pseudo_ctx *c, char *text, size_t len);
	/* Magic link, see inode_ops.follow. */
	int (*follow)(const struct pseudo_ctx *c, struct path *out);
	/* Regular files with text that can be waited for: called at each poll and read, *seen is of the open file, at first 0. */
	u32 (*poll)(const struct pseudo_ctx *c, struct file *f, struct poll_table *pt, u32 *seen);
	/* Regular files that are not text: sets f->ops. */
	int (*open)(const struct pseudo_ctx *c, struct file *f);
	const struct pseudo_entry *children; /* directories: static members */
	const struct pseudo_dir *dir;        /* ... and those that come and go */
	const void *arg;                     /* for show and store */
};

struct pseudo_dir {
	/* Fill in what differs from the directory's own ctx (child is a copy of it). 0 or -ENOENT. */
	int (*lookup)(const struct pseudo_ctx *dir, const char *name, size_t len,
		      struct pseudo_ctx *child);
	/*
	 * The first member at or above *cookie: its name into `name`, its ctx into child, its cookie into
	 * *cookie. False: no more.
	 */
	bool (*next)(const struct pseudo_ctx *dir, u64 *cookie, char name[64],
		     struct pseudo_ctx *child);
};

struct pseudo_fs {
	const struct pseudo_entry *root;
	/* Owner of the object, and 0; or -ENOENT when it is gone. NULL: root owns everything. */
	int (*owner)(const struct pseudo_ctx *c, u32 *uid, u32 *gid);
	bool of_pid_ns; /* shows the pid namespace of who mounts it */
};

int pseudo_mount(struct mount *m, const struct pseudo_fs *fs, struct inode **root);
/* inode_ops.open of a file that shows c. */
int pseudo_open_as(const struct pseudo_ctx *c, struct file *f);
/* What an inode shows, if it is one of a generated file system's; else NULL. */
const struct pseudo_ctx *pseudo_ctx_of(const struct inode *i);
/* The number in a name of digits only, without a leading zero; -1 if it is no such name. */
int pseudo_number(const char *name, size_t len);

#define PSEUDO_DIR(n, ...) { .name = (n), .mode = S_IFDIR | 0555, __VA_ARGS__ }
#define PSEUDO_FILE(n, m, ...) { .name = (n), .mode = S_IFREG | (m), __VA_ARGS__ }
#define PSEUDO_LINK(n, ...) { .name = (n), .mode = S_IFLNK | 0777, __VA_ARGS__ }
/* A file of fixed text, and one of none. */
#define PSEUDO_TEXT(n, text) PSEUDO_FILE(n, 0444, .show = pseudo_show_text, .arg = (text))
#define PSEUDO_EMPTY(n) PSEUDO_FILE(n, 0444, .show = pseudo_show_text, .arg = "")
#define PSEUDO_SYMLINK(n, text) PSEUDO_LINK(n, .show = pseudo_show_text, .arg = (text))
int pseudo_show_text(struct seq *m, const struct pseudo_ctx *c); /* arg is the text */

#endif
