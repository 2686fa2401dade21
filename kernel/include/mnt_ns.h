/* SPDX-License-Identifier: Apache-2.0 */
/* Mount namespaces (vfs/mnt_ns.c). Who shares a struct fs_ctx shares its namespace. */
#ifndef MNT_NS_H
#define MNT_NS_H

#include "fs.h"
#include "ns.h"

struct mnt_ns {
	struct ns ns;
	struct list_head node;   /* all namespaces; mounts_lock */
	struct list_head mounts; /* in the order of mountinfo; mounts_lock */
	struct mount *root;
	bool dynamic; /* not the mounts of boot any more: names are walked in the tree (vfs/walk_host.c) */
	struct mount_table *table; /* until then */
	u32 n;        /* mounts */
	u32 event;    /* counts changes */
};

extern struct mnt_ns boot_ns;
extern struct waitq mounts_changed; /* of any namespace */
extern struct list_head mnt_namespaces;

struct mnt_ns *mnt_ns_current(void);
struct mnt_ns *mnt_ns_get(struct mnt_ns *ns);
void mnt_ns_put(struct mnt_ns *ns); /* NULL is allowed */
int mnt_ns_top(struct mnt_ns *ns, struct path *out); /* what lies on top of its root. 0 or -ENOMEM */

#endif
