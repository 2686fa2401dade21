/* SPDX-License-Identifier: Apache-2.0 */
/* Making mounts (vfs/mount.c, vfs/mount_special.c). */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "name.h"

struct fs_type *fs_find(const char *name);
const struct fs_type *fs_nth(u32 i); /* for /proc/filesystems; NULL: no more */

struct mount *mount_new(const struct fs_type *type, const char *target, const char *source,
			u32 flags, const char *options);
void mount_publish(struct mount *m); /* m->root is set */
void mount_unpublish(struct mount *m);

/* Entries of boot_info. -ENOENT: there is nothing at the target. */
int mount_bind_handle(const char *target, u32 handle, u32 flags);
int mount_mask(const char *target);
int mount_readonly(const char *target);
int mount_bind(struct path *from, const char *target, u32 flags); /* another place of a guest file system */

int dir_may_change(struct inode *dir, struct mount *mnt); /* guest file systems: read-only mounts, permission */
int dir_may_remove(struct inode *dir, struct inode *victim);
int vfs_mknod_kernel(const char *path, u32 mode, u64 rdev, u32 uid, u32 gid); /* the same; one that is there gets mode and owner */
int vfs_mkdir_kernel(const char *path, u32 mode); /* without permission checks; below guest mounts */
extern struct fs_type mqueue_type;

#endif
