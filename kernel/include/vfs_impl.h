/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of vfs/ and its file systems share, and nobody else needs. */
#ifndef VFS_IMPL_H
#define VFS_IMPL_H

#include <linux/fs.h>
#include <linux/mount.h>

#include "fs.h"
#include "task.h"

#define MAX_RW_COUNT 0x7ffff000ULL
/* Flags that only the open itself looks at; F_GETFL does not show them. */
#define OPEN_ONLY_FLAGS ((u32)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC))
#define O_LARGEFILE_64 0100000u /* what O_LARGEFILE is in the kernel's eyes */

struct name;
struct mc_iovec;

/* At `at`, or (-1) at the file's position. flags: RWF_*. The vector: the user's, with iov not checked yet. */
s64 vfs_rw(struct file *f, struct mc_iovec *iov, int n, s64 at, int flags, bool writes);
s64 vfs_rw_vector(struct file *f, uaddr_t iov, u64 n, s64 at, int flags, bool writes);
bool file_is_eventfd(const struct file *f);
void eventfd_signal(struct file *f); /* one more */
void stat_mount(const struct name *n, struct statx *st); /* stx_mnt_id, STATX_ATTR_MOUNT_ROOT, where n has a mount */

extern const struct file_ops path_file_ops; /* O_PATH: nothing works */
extern struct fs_type tmpfs_type, ramfs_type, devtmpfs_type, devpts_type, overlay_type;

s64 vfs_access_host(struct name *n, void *mode); /* name_fn of access(2) */
struct file *device_open(struct inode *i, u32 flags); /* the caller sets inode and mnt */
/* A file on a guest inode, after all checks. Takes its own references. */
struct file *inode_open_file(struct inode *i, struct mount *mnt, u32 flags);
int inode_setattr(struct inode *i, const struct iattr *a); /* after all checks */
void inode_set_fields(struct inode *i, const struct iattr *a);
void inode_touch(struct inode *i, u32 attrs);              /* ATTR_ATIME, ATTR_MTIME: now; ctime too */
bool inode_owner_or_capable(const struct inode *i);

static inline u32 dev_major(u64 dev) { return (dev >> 8) & 0xfff; }
static inline u32 dev_minor(u64 dev) { return (dev & 0xff) | ((dev >> 12) & 0xfff00); }
static inline u64 dev_encode(u32 major, u32 minor)
{
	return (minor & 0xff) | ((u64)(major & 0xfff) << 8) | ((u64)(minor & ~0xffu) << 12);
}

/* Locks (vfs/locks.c) that end with a descriptor table's or a file's use. */
void locks_close_posix(struct file *f, struct fdtable *owner);
void locks_release_file(struct file *f);

int fd_install_at(int fd, struct file *f, bool cloexec, bool exact); /* takes over the reference */
int fd_set_cloexec(int fd, bool on);
int fd_get_cloexec(int fd);
int fd_close_range(u32 first, u32 last, bool only_mark);
int fdtable_unshare(void);
bool fdtable_alone(void); /* nobody else has the caller's descriptors */

#endif
