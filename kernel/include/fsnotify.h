/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify events of guest file systems (fs/fsnotify.c). Changes to host files are reported by the host's
 * inotify. Cheap while nobody watches a guest file. Callers hold no inode lock.
 */
#ifndef FSNOTIFY_H
#define FSNOTIFY_H

#include <linux/inotify.h>

#include "fs.h"

extern u32 fsnotify_watches; /* of guest files, all together */

void fsnotify_slow_name(struct inode *dir, u32 mask, const char *name, size_t len, u32 cookie);
void fsnotify_slow_inode(struct inode *i, u32 mask);
u32 fsnotify_cookie(void);

/* Something happened to the name in dir. */
static inline void fsnotify_name(struct inode *dir, u32 mask, const char *name, size_t len, u32 cookie)
{
	if (unlikely(__atomic_load_n(&fsnotify_watches, __ATOMIC_RELAXED)))
		fsnotify_slow_name(dir, mask, name, len, cookie);
}

/* Something happened to the file: for those who watch it, and its directory. */
static inline void fsnotify_inode(struct inode *i, u32 mask)
{
	if (unlikely(__atomic_load_n(&fsnotify_watches, __ATOMIC_RELAXED)))
		fsnotify_slow_inode(i, mask);
}

/* One inotify instance's guest side. */
struct inotify {
	struct mutex lock; /* queue */
	struct list_head queue;
	u32 queued;
	struct waitq wait;
	struct list_head watches; /* under fsnotify.c's lock */
	int last_wd;
};
void inotify_setup(struct inotify *n);
void inotify_destroy(struct inotify *n);
int inotify_watch(struct inotify *n, struct inode *i, u32 mask); /* wd or -errno */
int inotify_unwatch(struct inotify *n, int wd);
bool inotify_is_guest_wd(int wd);
s64 inotify_take(struct inotify *n, struct uio *u); /* bytes; 0: nothing there; -EINVAL: no room for the first */
u32 inotify_queued_bytes(struct inotify *n);

/* inotify.c: an instance of the kernel's own (NULL: none), and its watches. */
struct file *inotify_kernel(void);
int inotify_add_file(struct file *in, struct file *f, u32 mask); /* wd or -errno */
void inotify_remove(struct file *in, int wd);

/* tmpfs.c: the name of a file in a directory of it; false: it has none there. `name` has NAME_MAX + 1 bytes. */
bool tmpfs_name_of(struct inode *dir, const struct inode *i, char *name);
bool ovl_name_of(struct inode *dir, struct inode *i, char *name); /* the same of an overlay (fs/overlay/inode.c) */

#endif
