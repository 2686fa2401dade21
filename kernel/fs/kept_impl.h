/* SPDX-License-Identifier: Apache-2.0 */
/* What kept.c and kept_add.c share. */
#ifndef KEPT_IMPL_H
#define KEPT_IMPL_H

#include "kept.h"
#include "list.h"
#include "names.h"
#include "sync.h"

#define MAX_FILES 32
#define MAX_DIRS 32
#define MAX_IDLE 1024 /* files, of all processes */
#define MAX_SIZE (256u << 10)
#define MAX_DEPTH 16

struct stamp {
	u64 dev;
	u64 sec, nsec;
};

struct kept {
	struct list_head node; /* in files or dirs of its set; the last used first */
	struct kept_set *set;  /* NULL: it is to be closed with its last use */
	struct kept *above;    /* the directory it is in, with a use of that; NULL: the first one */
	struct inode *base;    /* what names are relative to, NULL: the container's root. The first one has a reference */
	struct inode *inode;   /* of an idle file: without references */
	struct stamp stamp;
	struct names_moment seen; /* of a file: when it and the directories on its way were last found unchanged, if all are in_root */
	u32 users; /* of directories: what is in it, and who looks at it */
	bool idle; /* a file that is not open */
	bool moved; /* its position is to be set to 0 */
	u64 hash;
	char name[]; /* of a directory: in the one above; of a file: as it was opened */
};

struct kept_set {
	struct cred *cred; /* others that are the same to the hypervisor (pv_id) will do */
	struct list_head files, dirs;
	u32 nfiles, ndirs;
};

extern struct mutex kept_lock; /* all of it but stamps and inodes; not held over calls of the machine */
/* With the lock; what is to be closed is collected, and closed without it. */
void kept_dir_put(struct kept *d, struct list_head *gone);
void kept_dir_dead(struct kept *d, struct list_head *gone);
void kept_file_dead(struct kept *k, struct list_head *gone);
void kept_drop_set(struct kept_set *set, struct list_head *gone); /* but what is open */
bool kept_drop_oldest(struct kept_set *set, struct list_head *gone);
void kept_close(struct list_head *gone);

bool stamp_get(const struct inode *i, struct stamp *s);
bool stamp_too_young(const struct stamp *s, u64 now);
bool kept_unchanged(const struct kept *k);
int kept_depth(const char *text);
struct inode *kept_base(const struct name *n);
u64 kept_hash(const struct name *n);

#endif
