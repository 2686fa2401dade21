/* SPDX-License-Identifier: Apache-2.0 */
/* The host file system: PV calls on names and handles (fs/hostfs*.c). */
#ifndef HOSTFS_H
#define HOSTFS_H

#include "name.h"
#include "ring.h"

/* A PV call on a name: begin fills in directory, path, root and credentials and holds a slot until end. */
void host_begin(struct pv_slot *s, u32 cmd, const struct name *n);
/* A second string behind the path; false: no room. */
bool host_path2(struct pv_slot *s, const char *text, size_t len);
/* -errno, the answer, or PV_CROSS when n has been told where to continue. */
s64 host_call(struct pv_slot *s, struct name *n);
static inline void host_end(struct pv_slot *s) { mc_pv_put(s); }

/* begin, call, end for calls whose answer is only a number. */
s64 host_simple(struct name *n, u32 cmd, u32 flags, u32 mode, u64 arg);
s64 host_access(struct name *n, int mode);
/* A call on an open handle; fills cred and pid. */
s64 host_handle_call(u32 cmd, u32 handle, u32 flags, u64 off, u64 len);
/* PV_PATHOF: kmalloc'ed text, or ERR_PTR. */
char *host_path_of(u32 handle);
/* ... of up to HOST_PATHS handles, in one call; 0: of none. NULL in place of a text: not known. */
#define HOST_PATHS (1u + PV_RELEASE_MORE)
void host_paths_of(const u32 *handles, char **texts, u32 n);

/* Handle numbers: those that a failed open left are used again. 0: none. */
u32 host_handle_get(void);
void host_handle_unused(u32 handle);

struct open_args {
	u32 flags, mode, resolve;
	bool exec;
	struct file *file; /* out */
};
s64 hostfs_open(struct name *n, void *open_args);
s64 hostfs_stat(struct name *n, void *statx);
/* The object on a new handle that the hypervisor has told of. gen: hostfs_owner_gen() before. NULL: no memory. */
struct inode *hostfs_inode(const struct pv_file *a, u32 handle, u32 gen);
/*
 * A path below a directory (NULL: the container's root), links not followed at its end: as an inode with a handle; its
 * type; a link's text (PATH_MAX bytes), its length. -errno, or PV_CROSS: a marker.
 */
s64 hostfs_lookup_in(struct inode *dir, const char *text, size_t len, u32 resolve, bool all_powers, struct inode **out);
int host_hole(struct inode **out); /* the empty directory that is seen where the host has a marker. 0 or -ENOMEM */
s64 hostfs_kind_in(struct inode *dir, const char *text, size_t len, u32 *mode);
s64 hostfs_readlink_in(struct inode *dir, const char *text, size_t len, char *to);
struct inode *hostfs_handle_inode(u32 handle); /* a directory or file that the hypervisor opened; takes over the handle */
bool inode_is_host(const struct inode *i);
struct file *hostfs_stdio(u32 handle, int fd); /* a file on a handle that the hypervisor opened; or ERR_PTR */
struct file *hostfs_take(u32 event, u32 index); /* a descriptor that came with an event; or ERR_PTR */
s64 hostfs_getdents64(struct file *f, uaddr_t to, size_t room); /* of directories, straight to the user */
s64 hostfs_ioctl(struct file *f, u32 cmd, u64 arg);
int hostfs_fstat(struct file *f, struct stat *st); /* of FMODE_HOST files; -EAGAIN: ask the hypervisor */
u32 hostfs_owner_gen(void);      /* counts this guest's chowns of host files */
void hostfs_owner_changed(void);
int hostfs_open_dir(const char *path, struct path *out); /* with all powers: boot */
void writers_add(const struct inode *i); /* fs/writers.c: host files open for writing */
void writers_drop(const struct inode *i);
bool writers_any(const struct inode *i);
extern const struct file_ops hostfs_file_ops, hostfs_dir_ops;
extern struct fs_type hostfs_type;

#endif
