/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces (user_namespaces(7)). Everywhere in the kernel ids are those of the first one, the container's
 * ("kernel ids"): what comes from user mode and what goes there is mapped at the system call.
 */
#ifndef USER_NS_H
#define USER_NS_H

#include "cred.h"
#include "ns.h"

#define NO_ID 0xffffffffu
#define OVERFLOW_ID 65534u /* /proc/sys/kernel/overflowuid, overflowgid */
#define ID_MAP_MAX 340u
#define USER_NS_DEPTH 32

struct id_extent {
	u32 first, lower, kernel, count; /* here, in the parent, in the first namespace */
};

struct id_map {
	u32 n; /* 0: not written yet. Set last */
	struct id_extent *e;
	u32 root; /* kernel id of 0 here; NO_ID: none */
};

struct user_ns {
	struct ns ns; /* ns.user: the parent */
	int level;
	u32 owner_uid, owner_gid; /* kernel ids of who made it */
	struct id_map uid, gid;
	bool setgroups; /* allowed */
	bool parent_could_setfcap; /* who made it could have given a file capabilities */
};

extern struct user_ns init_user_ns;

static inline struct user_ns *user_ns_of(struct ns *ns) { return (struct user_ns *)ns; }
static inline struct user_ns *user_ns_parent(const struct user_ns *u) { return u->ns.user; }
static inline const struct user_ns *ns_owner(const struct ns *ns) { return ns->user ? ns->user : &init_user_ns; }
#define current_user_ns() (current->cred->user_ns)

/* From an id of a namespace to the kernel's: NO_ID where it has none, and for -1. */
u32 make_kuid(const struct user_ns *u, u32 uid);
u32 make_kgid(const struct user_ns *u, u32 gid);
/* And back: NO_ID where there is none; the shown form has the overflow id then. */
u32 from_kuid(const struct user_ns *u, u32 kuid);
u32 from_kgid(const struct user_ns *u, u32 kgid);
u32 show_uid_in(const struct user_ns *u, u32 kuid);
u32 show_gid_in(const struct user_ns *u, u32 kgid);
/* ... in current's namespace. */
u32 show_uid(u32 kuid);
u32 show_gid(u32 kgid);
/* An id that a call names, where -1 means "as it is". False: it has no mapping. */
bool take_uid(u64 arg, u32 *kuid);
bool take_gid(u64 arg, u32 *kgid);

bool ns_capable(const struct user_ns *u, int cap);                         /* current, over objects of u */
bool cred_capable(const struct cred *c, const struct user_ns *u, int cap); /* the same for others */
bool capable_here(int cap);                                                /* ... of its own namespace */
struct inode;
bool capable_inode(const struct inode *i, int cap);           /* ... over a file with these owners */
bool capable_owner(u32 kuid, u32 kgid, int cap);
bool user_ns_within(const struct user_ns *u, const struct user_ns *outer); /* outer itself, or below it */

/* A copy of old in a user namespace of its own with all capabilities, or ERR_PTR(-ENOSPC, -EPERM, -ENOMEM). */
struct cred *user_ns_create(const struct cred *old);
struct cred *user_ns_enter(const struct cred *old, struct user_ns *u); /* ... in u: setns */
bool user_ns_setgroups_allowed(const struct user_ns *u);

#endif
