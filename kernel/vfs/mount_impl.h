/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of mount(2), umount2(2) and pivot_root(2). */
#ifndef MOUNT_IMPL_H
#define MOUNT_IMPL_H

#include "mounts.h"

bool may_mount(void);
/* A place in the caller's tree, for a path; flags NAME_*. 0 or -errno. */
int mount_lookup(const char *path, u32 flags, struct path *out);
int mount_lookup_at(int dirfd, const char *path, u32 flags, struct path *out);
int mount_allowed_here(const char *type, u32 flags); /* a new file system of this type, for who has CAP_SYS_ADMIN */
void place_descend(struct path *p); /* to what is mounted on it, where the walk began there: "." and "/" */
/* Is it a mount's root, in the caller's namespace? */
bool place_is_mount(const struct path *p);
bool place_is_ours(const struct path *p);

/* m (a tree of mounts, held by the caller) becomes visible at p and where that propagates to. Takes m over. */
int mount_graft(struct mount *m, const struct path *p);

/* Propagation (vfs/mount_shared.c); mounts_lock is held. */
int propagate_mount(struct mount *m); /* which is attached */
void propagate_umount(struct mount *m, struct list_head *gone); /* before it is detached */
bool propagation_valid(u32 flags);
void propagation_change(struct mount *m, u32 flags);
void mount_share_tree(struct mount *m); /* all of it gets peer groups */

int do_bind(const struct path *to, const char *from, bool recurse);
struct mount *bind_copy(const struct path *from, bool recurse); /* or ERR_PTR */
int do_move(const struct path *to, const char *from);
int mount_move(struct mount *m, const struct path *to);
u32 mount_attr_flags(u64 attr); /* MS_* of MOUNT_ATTR_* (vfs/mount_fd.c) */
int do_remount(const struct path *p, u32 flags, bool bind, const char *options);
int mount_options_check(const char *type, const char *options);

#endif
