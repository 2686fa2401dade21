/* SPDX-License-Identifier: Apache-2.0 */
/* Files whose bytes are a memory object of the machine: tmpfs files and memfds (fs/memfile.c). */
#ifndef MEMFILE_H
#define MEMFILE_H

#include "fs.h"

/* One mounted tmpfs. */
struct tmpfs {
	u64 max_bytes, used_bytes; /* 0: no limit. What the files are charged with */
	u64 max_inodes, inodes;
	struct mutex lock;
	bool sized, counted; /* by an option */
	u32 mode, uid, gid;  /* of the root directory at first */
};

/* An inode of tmpfs or of a memfd. i.handle: the memory object, made when bytes are first needed. */
struct mem_inode {
	struct inode i;
	struct tmpfs *sb; /* NULL: a memfd */
	u32 seals;        /* F_SEAL_* */
	/*
	 * Bytes that the file system's size is charged with: up to the end of what was written or allocated, holes
	 * below it counted; more if the object was found to have more pages. What is stored through a shared map is
	 * known when the file is closed.
	 */
	u64 charged;
	bool mapped; /* shared and writable, at some time */
	char *target;     /* symlinks */
	struct list_head entries; /* directories: in order of their cookies */
	bool opaque; /* as the upper directory of an overlay: it hides those below */
	u64 origin;  /* inode number in an overlay, of what was copied up; 0: it was not */
	u64 next_cookie;
	struct mem_xattr *xattrs; /* fs/mem_xattr.c */
	u64 xattr_bytes;
};
static inline struct mem_inode *mem_inode(struct inode *i) { return container_of(i, struct mem_inode, i); }

extern const struct file_ops memfile_ops;
int memfile_open(struct inode *i, struct file *f);     /* inode_ops.open */
int memfile_setattr(struct inode *i, const struct iattr *a);
int memfile_resize(struct inode *i, u64 len);          /* i->lock held */
void memfile_free(struct mem_inode *m);                /* the object; accounting */
int memfile_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int memfile_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
int memfile_listxattr(struct inode *i, char *buf, size_t size);
void memfile_free_xattrs(struct mem_inode *m);
void memfile_drop_privs(struct mem_inode *m); /* somebody writes to it, or it gets another owner. i->lock held */
int memfile_check_map(struct vma *v); /* with the mm's lock: do the seals still allow the map? 0 or -EPERM */
int memfd_seals(struct file *f, bool add, u32 seals);  /* F_ADD_SEALS, F_GET_SEALS; -EINVAL: not a memory file */
/* A transfer between a handle at off and the buffers. */
s64 uio_handle(struct uio *u, u32 handle, s64 off, int flags);

#endif
