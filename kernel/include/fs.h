/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files, inodes, mounts.
 *
 * Two kinds of file system:
 *  - "host": names are resolved by the hypervisor, a whole path in one PV call
 *    (fs/hostfs). An inode of it holds a PV handle. There is no name cache; fs/kept.c
 *    keeps files open.
 *  - guest file systems (proc, sysfs, devtmpfs, tmpfs, devpts): trees of inodes in the kernel,
 *    walked component by component through inode_ops by vfs/walk.c.
 * The container's root is a host file system; guest ones are mounted at
 * absolute paths of it. vfs/namei.c decides, path by path, where a walk starts and continues.
 */
#ifndef FS_H
#define FS_H

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "sync.h"

struct inode;
struct path;
struct mount;
struct fdtable;
struct dir_context;
struct iattr;
struct file;
struct vma;
struct poll_table;
struct statx;

/* ---- user or kernel buffers of a transfer ---- */
struct uio {
	const struct mc_iovec *iov; /* kernel copy; bases are user addresses unless `kernel` */
	int n;
	size_t skip;  /* bytes of iov[0] already done */
	size_t resid; /* bytes left */
	bool kernel;
	bool nowait;  /* O_NONBLOCK, MSG_DONTWAIT, RWF_NOWAIT: do not block */
	int flags;    /* RWF_* */
};
void uio_kernel(struct uio *u, struct mc_iovec *iov, void *buf, size_t len);
/* Move up to n bytes between kernel memory and the buffers; advance. Bytes moved or -EFAULT (if none). */
s64 uio_put(struct uio *u, const void *from, size_t n); /* kernel -> buffers (a read) */
s64 uio_get(struct uio *u, void *to, size_t n);         /* buffers -> kernel (a write) */
s64 uio_zero(struct uio *u, size_t n);

/* ---- open files ---- */
struct file_ops {
	/* Bytes, 0 at end of file, or -errno. pos: &file->pos, or a copy for pread/pwrite; NULL for streams. */
	s64 (*read)(struct file *f, struct uio *u, s64 *pos);
	s64 (*write)(struct file *f, struct uio *u, s64 *pos);
	s64 (*seek)(struct file *f, s64 off, int whence); /* NULL: -ESPIPE */
	/* POLL* mask at this moment; registers with poll_wait(). NULL: always POLLIN|POLLOUT. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	s64 (*ioctl)(struct file *f, u32 cmd, u64 arg); /* NULL: -ENOTTY */
	/* May this file be mapped so? Sets v->... ; the mapping itself is mc_map of file->handle. NULL: -ENODEV. */
	int (*mmap)(struct file *f, struct vma *v);
	int (*getdents)(struct file *f, struct dir_context *ctx);
	int (*fsync)(struct file *f, bool data_only);
	int (*truncate)(struct file *f, u64 len);
	int (*fallocate)(struct file *f, int mode, u64 off, u64 len);
	/* Last fd that refers to it in some table was closed (flush locks); file goes on if others hold it. */
	void (*flush)(struct file *f, struct fdtable *owner);
	void (*release)(struct file *f); /* last reference. Releases f->handle, if it is the file's own; may be NULL */
	int (*setfl)(struct file *f, u32 flags); /* F_SETFL changed O_NONBLOCK etc.; may be NULL */
};

#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_STREAM 4u   /* no position: pread and lseek give ESPIPE */
#define FMODE_PATH 8u     /* O_PATH */
#define FMODE_HOST 16u    /* f->handle is donated: read, write and poll go straight to the machine (mc_io, mc_poll) */
#define FMODE_EXEC 32u
#define FMODE_HOSTPOLL 64u /* readiness is the host's: epoll and poll use f->handle with mc_poll/mc_watch */
#define FMODE_WATCH 256u   /* an epoll or netlink file: readiness depends on what the guest knows and on f->handle, a host watch */
#define FMODE_TTY 512u     /* a terminal of the host; priv is its struct tty (fs/dev_tty.c) */
#define FMODE_MOUNTED 2048u /* counted among its mount's writers */
#define FMODE_LOCKED 1024u  /* flock or OFD locks, a lease or a note of its directory may be held through it */
#define FMODE_MOVED 4096u   /* FMODE_HOST: the host's position may be another than 0 */
#define FMODE_BROUGHT 8192u /* a regular file of the host; priv is what the open brought along (fs/brought.c) */

struct file {
	refcount_t ref;
	u32 mode;  /* FMODE_* */
	u32 flags; /* O_*: access mode and status flags */
	u32 handle; /* PV handle, 0 none */
	const struct file_ops *ops;
	s64 pos;
	struct mutex lock; /* pos */
	bool behind; /* FMODE_BROUGHT: the host does not know the position yet, it is pos. Under lock */
	struct inode *inode; /* may be NULL (pipe, socket, eventfd ... have an anonymous one for fstat) */
	struct mount *mnt;
	/* "pipe:[5]", or with mnt the place in its file system; owned. NULL for most host files: ask file_text(). */
	char *name;
	void *priv;
	struct list_head epitems; /* epoll items watching this file (epoll.c) */
	struct mutex ep_lock;
	int owner; /* F_SETOWN */
	int sig;   /* F_SETSIG */
};

/* Before whatever moves the position that the host has. */
static inline void file_moves(struct file *f)
{
	if (unlikely(!(READ_ONCE(f->mode) & FMODE_MOVED)))
		__atomic_fetch_or(&f->mode, FMODE_MOVED, __ATOMIC_RELAXED);
}

struct file *file_new(const struct file_ops *ops, u32 flags, u32 mode); /* ref 1; NULL: no memory */
struct file *file_get(struct file *f);
void file_put(struct file *f); /* NULL is allowed */
void file_set_mount(struct file *f, struct mount *mnt); /* inode and mode are set. Takes a reference of its own */
static inline void file_put_cleanup(struct file **f) { file_put(*f); }
#define __file __cleanup(file_put_cleanup)
/* Text for /proc/pid/fd and maps: kmalloc'ed; of host files the present path (" (deleted)"). NULL: no memory. */
char *file_text(struct file *f);
void files_text(struct file *const *f, char **texts, u32 n); /* ... of up to HOST_PATHS files: one PV call */
/* What a magic link to an open file leads to (inode_ops.follow). */
int file_path(struct file *f, struct path *out);
u32 file_mount_flags(struct file *f); /* MS_NOSUID, MS_NOEXEC, MS_RDONLY, MS_NODEV of where it lies */
s64 generic_seek(struct file *f, s64 off, int whence); /* file_ops.seek of files whose end is inode->size */
extern const struct file_ops dir_file_ops; /* directories of guest file systems */

/* ---- fd tables (vfs/fdtable.c) ---- */
/*
 * The fast form for one system call: while nobody shares the table, its files cannot go away under the
 * caller, who then needs no reference. Not for callers that close descriptors or keep the file.
 */
struct fdref {
	struct file *f; /* NULL: -EBADF */
	bool owned;
};
struct fdref fd_borrow(int fd);
static inline void fd_return(struct fdref r)
{
	if (unlikely(r.owned))
		file_put(r.f);
}
static inline void fd_return_cleanup(struct fdref *r) { fd_return(*r); }
#define __fdref __cleanup(fd_return_cleanup)
struct file *fd_get(int fd);      /* with a reference; NULL: -EBADF. O_PATH files too */
struct file *fd_get_io(int fd);   /* the same, but not O_PATH files */
struct file *fd_get_of(struct task *t, int fd); /* of another task (proc) */
int fd_install(struct file *f, bool cloexec); /* lowest number; takes over the reference, also on error */
int fd_reserve(bool cloexec);     /* two-step form: reserve a number ... */
void fd_fill(int fd, struct file *f); /* ... and fill it (takes over the reference) */
void fd_unreserve(int fd);
int fd_close(int fd);
int fd_next(struct task *t, int from); /* lowest open fd >= from, or -1 (for /proc/pid/fd) */
bool fd_cloexec_of(struct task *t, int fd);
/* The same for a table that the caller holds a reference to (fdtable_get under tasklist_lock). */
struct file *fdtable_file(struct fdtable *t, int fd); /* with a reference, or NULL */
int fdtable_next(struct fdtable *t, int from);
bool fdtable_cloexec(struct fdtable *t, int fd);

/* ---- directories read ---- */
struct dir_context {
	/* Returns false when the buffer is full: stop, and come again with the same pos. */
	bool (*emit)(struct dir_context *ctx, const char *name, size_t len, u64 ino, u32 type /* DT_* */);
	s64 pos; /* cookie of the entry to emit next; 0, 1 are "." and ".." */
};
bool dir_emit_dots(struct dir_context *ctx, struct inode *dir);

/* ---- inodes of guest file systems ---- */
struct inode_ops {
	/* Guest file systems. NULL: -ENOTDIR, -EPERM, ... as fits. dir->lock is held for lookup and the makers. */
	int (*lookup)(struct inode *dir, const char *name, size_t len, struct inode **out); /* with a reference, or -ENOENT */
	int (*readlink)(struct inode *i, char *buf, size_t size); /* length, not terminated */
	/* Magic link (/proc/pid/fd/N, exe, cwd, root): the thing itself. NULL: follow the text. */
	int (*follow)(struct inode *i, struct path *out);
	int (*open)(struct inode *i, struct file *f); /* sets f->ops, f->priv, f->handle; NULL: directories get dir_file_ops */
	int (*readdir)(struct inode *dir, struct dir_context *ctx);
	int (*getattr)(struct inode *i, struct statx *st); /* NULL: from the inode's fields */
	int (*setattr)(struct inode *i, const struct iattr *a); /* NULL: sets the inode's fields */
	int (*create)(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out); /* any type by S_IFMT */
	int (*symlink)(struct inode *dir, const char *name, size_t len, const char *target);
	int (*link)(struct inode *dir, const char *name, size_t len, struct inode *target);
	int (*unlink)(struct inode *dir, const char *name, size_t len, bool rmdir);
	int (*rename)(struct inode *dir, const char *name, size_t len, struct inode *dir2, const char *name2, size_t len2, u32 flags);
	int (*statfs)(struct inode *i, struct statfs *st);
	/* Extended attributes, NULL: none. Whole names. Length (size 0: only that) or -errno; value NULL: remove. Permissions are the caller's business. */
	int (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
	int (*listxattr)(struct inode *i, char *buf, size_t size);
	void (*release)(struct inode *i); /* last reference; must kfree(i) */
};

struct iattr {
	u32 valid; /* ATTR_* */
	u32 mode, uid, gid;
	u64 size;
	struct { s64 sec; u32 nsec; } atime, mtime;
};
#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u

struct inode {
	refcount_t ref;
	const struct inode_ops *ops;
	struct mount *mnt; /* whose instance it is of; not counted: valid in a place only */
	u64 dev;           /* major << 32 | minor; 0: of no file system */
	u64 ino;
	u32 mode, uid, gid, nlink;
	u64 rdev;
	u64 size;
	struct { s64 sec; u32 nsec; } atime, mtime, ctime;
	struct mutex lock;
	struct inode *parent; /* of directories in guest file systems, for ".."; not counted */
	void *priv;
	/* host inodes (fs/hostfs) */
	u32 handle;  /* of a directory or O_PATH object; 0 = container root or none */
	u32 mnt_flags; /* MS_* of the host's mount */
	bool in_root; /* in the container's root mount, which nobody outside is to change */
	u32 owner_gen; /* uid and gid are right while this is the number of the last chown (fs/hostfs.c) */
	struct kept *kept; /* of a file whose descriptor stays open (fs/kept.c) */
};
struct inode *inode_new(const struct inode_ops *ops, struct mount *mnt, u32 mode); /* times now, uid/gid 0, fresh ino */
void inode_init(struct inode *i, const struct inode_ops *ops, struct mount *mnt, u32 mode); /* zeroed, larger objects */
void inode_own(struct inode *i); /* owner and group: current's */
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i); /* NULL is allowed */
u64 inode_next_ino(void);
int inode_permission(struct inode *i, int mask); /* MAY_*; guest file systems. 0 or -EACCES */
#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
void inode_getattr(struct inode *i, struct statx *st); /* from the fields, or inode_ops.getattr */

/* ---- mounts ---- */
struct fs_type {
	const char *name;
	u32 magic;  /* f_type */
	bool host;  /* names go to the hypervisor */
	/* Make the root inode of a new instance (guest file systems). */
	int (*mount)(struct mount *m, const char *options, struct inode **root);
	int (*show_options)(struct mount *m, char *buf, size_t size);
	int (*remount)(struct mount *m, const char *options); /* NULL: nothing to change */
};
/*
 * One place where a file system is seen. The tree (parent, children, place) is under mounts_lock; flags are read
 * without it. Texts of places are those of the file system itself, from its root, which is "": what the host file
 * system calls a place is its path in the container.
 */
struct mount {
	refcount_t ref;
	u32 held; /* references of the tree and of other mounts: those of users are the rest. mounts_lock */
	struct list_head node; /* all of the namespace, in the order of mountinfo */
	struct list_head children, sibling;
	struct mnt_ns *ns;     /* NULL: in no tree */
	struct mount *parent;  /* itself: at the top */
	char *place; /* where in the parent's file system */
	char *base;  /* where `root` is in this one */
	char *target; /* made at boot: its path in the container */
	const struct fs_type *type;
	char *source, *options;
	const char *fstype; /* as mountinfo shows it: of a host mount, the host's; NULL: type->name */
	u32 flags;     /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, how access times are kept */
	u32 locked;    /* MS_* that remounting can't take away; MNT_LOCKED */
	struct inode *root; /* NULL: a mount of the host's, inside its parent's tree */
	struct mount *sb;   /* which made this instance of the file system: itself, or another, with a reference */
	u32 dev;       /* st_dev: minor of major 0 */
	int id;
	u32 writers;   /* files open for writing */
	int peers, master; /* shared: number of the peer group; a slave of that group; 0: neither */
	bool unbindable, expired;
	struct mount *copy; /* while a tree is copied; mounts_lock */
	void *priv;
};
#define MNT_LOCKED 0x80000000u /* it covers something that who got a copy of this tree must not see */
struct mount *mount_get(struct mount *m); /* NULL is allowed, here and in mount_put */
void mount_put(struct mount *m);
extern struct mutex mounts_lock;
/* Character devices of the guest (fs/dev_*.c). open sets f->ops as inode_ops.open does. */
struct chrdev {
	struct list_head node;
	u32 major, minor, count;
	int (*open)(struct inode *i, struct file *f);
};
void chrdev_register(struct chrdev *d);
#define RDEV(major, minor) ((u64)(major) << 32 | (minor)) /* inode.rdev, inode.dev */
void fs_register(struct fs_type *t);
void proc_init(void); /* called by vfs_boot(): register the type */
/* The process of an open directory /proc/PID, with a reference; NULL: it is no such thing; -ESRCH: it is gone. */
struct process *proc_dir_process(const struct file *f);
void sysfs_init(void);
int sysctl_set(const char *key, const char *value); /* as writing it below /proc/sys. 0 or -errno */
int mount_add(const char *target, const char *type, const char *source, u32 flags, const char *options);

/* A place in the tree: what a walk finds. */
struct path {
	struct mount *mnt;   /* with a reference; NULL: of things without a place */
	struct inode *inode; /* with a reference; host: handle'd inode */
	char *name;          /* text of the place in its file system, kmalloc'ed; NULL: unknown */
};
void path_put(struct path *p);

/* cwd, root, umask: shared by CLONE_FS */
struct fs_ctx {
	refcount_t ref;
	struct mutex lock;
	struct path cwd, root;
	struct mnt_ns *mnt_ns;
	u32 umask;
};

/* ---- vfs entry points for other subsystems (kernel strings; credentials of current) ---- */
struct file *vfs_open(int dirfd, const char *path, u32 flags, u32 mode); /* or ERR_PTR */
struct file *vfs_open_exec(int dirfd, const char *path, u32 at_flags);   /* checks x permission, regular file, noexec; f->name canonical */
int vfs_unlink(const char *path);
int vfs_stat(int dirfd, const char *path, u32 at_flags, struct statx *st);
int vfs_fstat(struct file *f, struct statx *st);
s64 vfs_read_kernel(struct file *f, void *buf, size_t len, s64 off);
/* Of a file that is open to be executed: zeros may stand behind its end. */
s64 vfs_read_mapped(struct file *f, void *buf, size_t len, s64 off);
s64 vfs_write_kernel(struct file *f, const void *buf, size_t len, s64 off);
s64 vfs_read(struct file *f, struct uio *u, s64 *pos);
s64 vfs_write(struct file *f, struct uio *u, s64 *pos);
/*
 * RLIMIT_FSIZE: how many of n bytes may be written at `at` (-1: the file's position); whether a file may get len bytes
 * long. -EFBIG after SIGXFSZ.
 */
s64 vfs_write_room(struct file *f, s64 at, u64 n, bool append);
int vfs_may_resize(struct file *f, u64 len);
int vfs_may_grow(u64 size, u64 len); /* of a regular file that is not open */
int vfs_mknod(int dirfd, const char *path, u32 mode, u64 rdev); /* unix sockets bind here; mode with type, umask applied */
int vfs_fsync(struct file *f, bool data_only);
u32 vfs_poll(struct file *f, struct poll_table *pt);
char *getname(uaddr_t path); /* kernel copy of a user path, or ERR_PTR(-EFAULT, -ENAMETOOLONG); kfree */
/* Text for /proc/pid/{cwd,root}, getcwd: kmalloc'ed */
char *path_text(struct path *p);
char *path_text_at(struct path *p, char *place); /* ... at this place in its file system, which is taken over */
void vfs_boot(void); /* mounts from boot_info, descriptors of the first process */
int vfs_chdir(const char *path);
struct fs_ctx *fs_ctx_root(u32 umask); /* in the container's root directory; NULL: no memory */
struct boot_process;
/* Descriptors first ... n-1 of the calling process, which came with an event. 0 or -errno. */
int vfs_take_descriptors(u32 event, u32 first, u32 n, const struct boot_process *want);
struct fdtable *fdtable_new(void);
/* Identity of a file for locks and futexes: device, inode number. */
void file_identity(struct file *f, u64 *a, u64 *b);

/* ---- readiness ---- */
struct poll_table {
	/* Called by file_ops.poll for each queue that will be woken when readiness may change; NULL fn: only asking. */
	void (*fn)(struct poll_table *pt, struct file *f, struct waitq *q);
};
static inline void poll_wait(struct poll_table *pt, struct file *f, struct waitq *q)
{
	if (pt && pt->fn)
		pt->fn(pt, f, q);
}

/* Anonymous inode for pipes, sockets, eventfds: fstat works, name "kind:[ino]". */
/* The same under a given inode number; 0: a new one. */
struct file *anon_file_numbered(const char *kind, u64 ino, const struct file_ops *ops, u32 flags, u32 fmode, u32 inode_mode,
				void *priv);
struct file *anon_file(const char *kind, const struct file_ops *ops, u32 flags, u32 fmode, u32 inode_mode, void *priv);
/* Memory object file: memfd_create, shm, tmpfs data. */
struct file *memfd_file(const char *name, u32 flags, u64 size);

#endif
