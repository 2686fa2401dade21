/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: directories laid over each other. The upper one, where changes go, is of a tmpfs; lower ones are of the host
 * or of a tmpfs, and are only read. As on Linux without redirect_dir, index, metacopy: a directory that a lower layer has
 * is not renamed (EXDEV), and hard links of lower files part when they are changed.
 *
 * What a name is in the layers is found out once and kept in an inode as long as somebody uses it. overlay.lock is held
 * for copying up and for changes of names; it is taken after the locks of the overlay's own inodes and before those of the
 * layers' inodes. cache_lock is the innermost.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "memfile.h"
#include "mounts.h"
#include "vfs_impl.h"

#define OVL_LAYERS  64u /* lower ones */
#define OVL_BUCKETS 512u

struct overlay {
	u32 inodes; /* of it; the last one takes it along */
	struct mutex lock, cache_lock;
	struct list_head cache[OVL_BUCKETS];
	struct mount *held[OVL_LAYERS + 2]; /* whose file systems the layers are */
	u32 nheld;
	struct ovl_inode *root; /* no reference */
};

struct ovl_inode {
	struct inode i;
	struct overlay *sb;
	struct list_head node; /* in the cache */
	struct ovl_inode *dir; /* reference; NULL: the root, or a file without a name */
	char *name;	       /* in dir */
	bool gone;	       /* removed from there */
	char *target;	       /* of a lower symbolic link */
	struct inode *upper;   /* reference; NULL: not copied up */
	u32 layer;	       /* of lower[0]: 1 is the topmost lower one */
	u32 nlower;
	struct inode *lower[]; /* references; more than one: a merged directory */
};

static inline struct ovl_inode *ovl_inode(struct inode *i) { return container_of(i, struct ovl_inode, i); }
static inline struct inode *ovl_upper(const struct ovl_inode *o)
{
	return __atomic_load_n(&o->upper, __ATOMIC_ACQUIRE);
}
/* Where its contents are now. */
static inline struct inode *ovl_real(const struct ovl_inode *o)
{
	struct inode *u = ovl_upper(o);

	return u ? u : o->lower[0];
}

/* layer.c: one layer, whichever file system it is of. Its inodes are not locked. */
bool ovl_is_whiteout(const struct inode *i);
bool ovl_is_opaque(struct inode *dir);
int ovl_layer_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
struct file *ovl_layer_open(struct inode *i, u32 flags, bool all_powers); /* or ERR_PTR */
int ovl_layer_stat(struct inode *i, struct statx *st);
int ovl_layer_list(struct inode *dir, struct dir_context *ctx); /* all of it */
/* Length or -errno; size 0: only that. -EOPNOTSUPP: that file system has none. */
int ovl_layer_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int ovl_layer_listxattr(struct inode *i, char *buf, size_t size);
char *ovl_layer_link(struct inode *dir, const char *name, size_t len); /* of the host; kmalloc'ed, or ERR_PTR */

/* inode.c; overlay.lock is held, but for ovl_lookup() itself */
struct ovl_found {
	struct inode *upper, *lower[OVL_LAYERS]; /* references */
	u32 layer, nlower;
	bool whiteout; /* the upper layer has one */
};
int ovl_find(struct ovl_inode *dir, const char *name, size_t len, struct ovl_found *f); /* 0 or -ENOENT, or worse */
void ovl_found_put(struct ovl_found *f);
bool ovl_in_lower(struct ovl_inode *dir, const char *name, size_t len);
/* Takes over what f has. ERR_PTR: so it does then. */
struct ovl_inode *ovl_new(struct overlay *sb, struct mount *mnt, struct ovl_inode *dir, const char *name, size_t len,
			  struct ovl_found *f);
int ovl_get(struct ovl_inode *dir, const char *name, size_t len, struct ovl_inode **out);
void ovl_refresh(struct ovl_inode *o);
void ovl_forget(struct ovl_inode *o); /* its name is not its any more */
int ovl_renamed(struct ovl_inode *o, struct ovl_inode *dir, const char *name, size_t len);
void ovl_free(struct overlay *sb);
extern const struct inode_ops ovl_dir_inode_ops;
int ovl_lookup(struct inode *i, const char *name, size_t len, struct inode **out);
int ovl_setattr(struct inode *i, const struct iattr *a);
int ovl_getattr(struct inode *i, struct statx *st);
int ovl_statfs(struct inode *i, struct statfs *st);
void ovl_release(struct inode *i);

/* xattr.c */
int ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int ovl_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
int ovl_listxattr(struct inode *i, char *buf, size_t size);
int ovl_copy_xattrs(struct inode *from, struct inode *to);
#define OVL_XATTR .getxattr = ovl_getxattr, .setxattr = ovl_setxattr, .listxattr = ovl_listxattr

/* copy.c; the lock is held */
int ovl_copy_up(struct ovl_inode *o, bool data);
/* file.c */
int ovl_open(struct inode *i, struct file *f);
/* readdir.c */
int ovl_dir_open(struct inode *i, struct file *f);
int ovl_is_empty(struct ovl_inode *o);      /* 0, -ENOTEMPTY or worse; the lock is held */
int ovl_clear_whiteouts(struct inode *dir); /* of the upper layer */

#endif
