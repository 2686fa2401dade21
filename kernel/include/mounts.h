/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and their tree (vfs/mount*.c). */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "mnt_ns.h"
#include "name.h"

struct fs_type *fs_find(const char *name);
const struct fs_type *fs_nth(u32 i); /* for /proc/filesystems; NULL: no more */

/* A mount outside of all trees, of which the caller has the reference. NULL: no memory. */
struct mount *mount_new(const struct fs_type *type, const char *source, u32 flags, const char *options);
/* The same with a new instance of the file system, or ERR_PTR. */
struct mount *mount_make(struct fs_type *type, const char *source, u32 flags, const char *options);
/* Another mount of what m shows; of a part of it: root and its place. */
struct mount *mount_clone(struct mount *m, struct inode *root, const char *base);

/* The tree, with mounts_lock held. */
int mount_attach(struct mount *m, struct mount *parent, const char *place); /* takes over the reference, if it succeeds */
int mount_attach_root(struct mount *m, struct mnt_ns *ns);
int mount_link(struct mount *m, struct mount *parent, const char *place); /* only that: m stays what it was otherwise */
void mount_unlink(struct mount *m);
void mount_detach(struct mount *m, struct list_head *gone); /* with all below; to put by mounts_put() without the lock */
struct mount *mount_copy_tree(struct mount *m, struct inode *root, const char *base, bool all);
void mount_tree_changed(struct mnt_ns *ns);
void mounts_put(struct list_head *gone);
void mount_hold(struct mount *m);   /* a reference that does not make it busy */
void mount_unhold(struct mount *m); /* drops such a one; never the last */
bool mount_is_below(const struct mount *m, const struct mount *top); /* or top itself */
bool place_below(const char *place, const char *dir); /* or dir itself */

/* Lookups, which take the lock. References. */
struct mount *mount_child(struct mount *m, const char *place); /* the topmost one there; NULL: none */
struct mount *mount_up(struct mount *m, char *place); /* the parent, and where in it (PATH_MAX); NULL: m is at the top */
struct mount *mount_settle(struct mount *m, const char *place); /* takes m over: the host's mount inside m that has the place */
/* kmalloc'ed text of a place as seen from root (NULL: from the top of the namespace). *reached: it lies below root. */
char *mount_path(struct mount *m, const char *place, const struct path *root, bool *reached);
char *mount_path_locked(const struct mount *m, const char *place, const struct path *root, bool *reached);
bool mount_at_base(const struct mount *m, const char *place);

#define MOUNT_ENFORCED (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
/* Mounts of boot. What the host enforces remounting can't lift; its nodev is no loss, as devices are ours. */
#define HOST_LOCKED (MS_RDONLY | MS_NOSUID | MS_NOEXEC)
void mount_publish(struct mount *m, const char *target); /* m->root is set, or it is the host's. Takes over the reference */
struct mount *mount_match(const char *text, const char **rest);
struct mount *host_mount(void); /* "/" of the caller's namespace */

/* Entries of boot_info. -ENOENT: there is nothing at the target. */
int mount_bind_handle(const char *target, u32 handle, u32 flags);
int mount_mask(const char *target);
int mount_readonly(const char *target);

int dir_may_change(struct inode *dir, struct mount *mnt); /* guest file systems: read-only mounts, permission */
int dir_may_remove(struct inode *dir, struct inode *victim);
int vfs_mknod_kernel(const char *path, u32 mode, u64 rdev, u32 uid, u32 gid); /* the same; one that is there gets mode and owner */
int vfs_mkdir_kernel(const char *path, u32 mode); /* without permission checks; below guest mounts */
extern struct fs_type mqueue_type, nsfs_type;

#endif
