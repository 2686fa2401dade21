/* SPDX-License-Identifier: Apache-2.0 */
/* A walk through the mount tree (vfs/walk.c, vfs/walk_host.c). */
#ifndef WALK_H
#define WALK_H

#include <linux/openat2.h>

#include "mounts.h"
#include "vfs_impl.h"

struct walk {
	struct name *n;
	struct mount *mnt; /* reference */
	struct inode *dir; /* reference; where we are */
	size_t len;	   /* of n->canon: the place of dir in mnt's file system */
	const char *rest;  /* what is still to go; in n->text */
};

/* What a step may answer besides WALK_RESTART and -errno; 0: go on with the next component. */
#define STEP_HOST 2 /* the walk goes on at the hypervisor */
#define STEP_DONE 3 /* the last component has been dealt with */
#define STEP_HERE 4 /* the name is used up: the object is w->dir itself */

void walk_move(struct walk *w, struct mount *mnt, struct inode *to); /* takes both references over */
void walk_place(struct walk *w, const char *text);
int walk_append(struct walk *w, const char *name, size_t len);
void walk_strip(struct walk *w); /* the last component */
int walk_retext(struct walk *w, const char *head, size_t head_len); /* the name goes on with head, and then the rest */
int walk_link(struct walk *w, const char *target, size_t len);
bool walk_follows(const struct walk *w, bool last);
int walk_cross(struct walk *w, struct mount *m); /* takes over the reference */

/* One component of a host directory other than the dots; as walk.c's step(). */
int walk_host_step(struct walk *w, const char *name, size_t len, bool last);
/* Many components at once, where nothing is mounted. 0: try again; 1: they go one by one; -errno. */
int walk_host_run(struct walk *w);
/* The rest of the name as a whole, if nothing is mounted on the way, to try whether it has links. */
bool walk_host_whole(struct walk *w);
int walk_host_up(struct walk *w); /* canon says where to: the directory above w->dir, or in another mount */
void walk_host_finish(struct walk *w, const char *name, size_t len);

#endif
