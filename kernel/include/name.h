/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name on its way to a file (vfs/namei.c, vfs/walk.c).
 *
 * An operation on a name is a pair of functions: one for names that the hypervisor
 * resolves, which issues one PV call, and one for names that ended in a guest file
 * system. name_run() calls the one that fits, and again when the PV call says that
 * the walk has entered a guest-side mount (PV_CROSS).
 */
#ifndef NAME_H
#define NAME_H

#include "fs.h"

#define NAME_NOFOLLOW 1u /* a symbolic link as the last component is the object */
#define NAME_PARENT 2u   /* the last component may be missing: a maker, unlink or rename */
#define NAME_EMPTY 4u    /* AT_EMPTY_PATH */
#define NAME_OPEN 8u     /* with NAME_PARENT: an open, which may find a file or directory, too */
#define NAME_TREE 16u    /* walk the mount tree even where no mount was made (see tree) */
#define NAME_MAX_HOPS 40

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#define NAME_MAX 255

struct name {
	u32 flags;
	u32 resolve;      /* RESOLVE_* */
	int err;          /* of name_at(): reported by name_run() */
	int hops;         /* links followed and crossings */
	struct path base; /* a relative name starts here */
	struct path root; /* the caller's root directory; inode NULL: the container's */
	const char *text; /* what is still to be walked */
	char *owned;      /* text's memory, if it is ours */
	bool base_ref;    /* base and root hold references */
	bool all_powers;  /* PV calls by the kernel itself, not the caller's credentials */
	bool absolute;    /* text is absolute in the container, whatever the caller's root is */
	bool tree;        /* mounts were made in this namespace: host names are walked here, too */

	/* The result of a walk. */
	bool host;
	u32 dir;              /* host: text starts at this handle */
	struct mount *mnt;    /* guest, and host if `tree`; else NULL. Reference */
	const char *start;    /* text of this walk */
	bool whole;           /* text is many components, none of which may be a link: the call finds out */
	bool in_steps;        /* it has: not again */
	u32 kind;             /* host with `tree`: the object's mode; 0: it is not there */
	struct inode *inode;  /* guest: NULL if missing (NAME_PARENT); host: keeps `dir` alive; reference */
	struct inode *parent; /* NAME_PARENT; reference */
	const char *last;     /* last component, in canon; length 0: "." or ".." or a mount's root */
	size_t last_len;
	bool slash;           /* the name ended in a slash: it must be a directory */
	char *canon;          /* the object's place in its file system, PATH_MAX bytes; NULL on the host but with `tree` */
};

typedef s64 (*name_fn)(struct name *n, void *arg);

void name_at(struct name *n, int dirfd, const char *path, u32 flags);
void name_file(struct name *n, struct file *f); /* the object that an open file is; f must stay open */
s64 name_run(struct name *n, name_fn host, name_fn guest, void *arg); /* calls name_done() */
/* In pieces, for operations on two names. */
int name_walk(struct name *n);
int name_restart(struct name *n, const char *text, size_t len); /* continue at this absolute path of the container */
void name_done(struct name *n);

/* walk.c. From a directory on. at: its place in its file system. WALK_RESTART: n->text has been replaced. */
#define WALK_RESTART 1
int walk_from(struct name *n, struct mount *mnt, struct inode *dir, const char *at, const char *rest);
bool inode_same(const struct inode *a, const struct inode *b);

/* Kernel copies of user paths. */
char *getname_flags(uaddr_t path, u64 at_flags); /* with AT_EMPTY_PATH a NULL pointer is "" */
static inline void putname_cleanup(char **p)
{
	if (!IS_ERR(*p))
		kfree(*p);
}
#define __name __cleanup(putname_cleanup)

static inline bool path_is_set(const struct path *p) { return p->inode != NULL; }
void path_copy(struct path *to, const struct path *from);

#endif
