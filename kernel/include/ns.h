/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces (namespaces(7)): objects of the guest kernel alone. The host's, which the container is in, are
 * what the first one of each kind stands for; no other ever reaches the host.
 *
 * A task has an nsproxy, which never changes once others can see it: unshare and setns install
 * another one. Its user namespace is its credentials' (cred.h), and its pid namespace is that of its numbers (pid_ns.h):
 * in the nsproxy is the one that its children will be in.
 */
#ifndef NS_H
#define NS_H

#include "kernel.h"

struct cred;
struct file;
struct fs_ctx;
struct path;
struct task;
struct user_ns;

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NS_KINDS };

/* First in the structure of each kind. */
struct ns {
	refcount_t ref;
	enum ns_kind kind;
	u32 inum;
	struct user_ns *user; /* that owns it, counted; of a user namespace: its parent */
};

struct nsproxy {
	refcount_t ref;
	struct ns *of[NS_KINDS]; /* counted. NS_PID, NS_TIME: of the children to come; NS_USER: NULL */
	struct ns *time; /* counted: the task's own (time_ns.h) */
};

#define NS_FIRST_INUM 0xF0000080u /* before those that are made; the first ones have numbers of their own, as in Linux */
#define NS_INIT(which, number) { .ref = { 1 }, .kind = (which), .inum = (number) }

/* A new one, with one reference; takes one of the user namespace. */
void ns_init(struct ns *ns, enum ns_kind kind, struct user_ns *user);
struct ns *ns_get(struct ns *ns);
void ns_put(struct ns *ns); /* NULL is allowed */
static inline void ns_put_cleanup(struct ns **ns) { ns_put(*ns); }
#define __ns __cleanup(ns_put_cleanup)
extern s64 ns_limits[NS_KINDS]; /* how many of a kind may be made: /proc/sys/user */
int ns_may_make(enum ns_kind kind); /* 0 or -ENOSPC */
const char *ns_name(enum ns_kind kind);
u64 ns_flag(enum ns_kind kind); /* CLONE_NEW* */
struct ns *current_ns(enum ns_kind kind); /* without a reference. NS_PID, NS_TIME: of the children to come */

extern struct nsproxy init_nsproxy;
struct nsproxy *nsproxy_get(struct nsproxy *p);
void nsproxy_put(struct nsproxy *p); /* NULL is allowed */
struct nsproxy *nsproxy_dup(const struct nsproxy *old); /* the same, to be changed before others see it; NULL: no memory */
/*
 * For a child or for the caller, which will have the user namespace `user` and the directories fs: the same with those of
 * flags (CLONE_NEW*) made anew. With a reference, or ERR_PTR(-EPERM, -EINVAL, -ENOSPC, -ENOMEM).
 */
struct nsproxy *nsproxy_copy(u64 flags, struct nsproxy *old, struct user_ns *user, struct fs_ctx *fs);
void nsproxy_install(struct nsproxy *p); /* for current; takes over the reference */
/* Of a new process, or before an exec: its time namespace is to be that of its children. Takes over the reference; or ERR_PTR(-ENOMEM). */
struct nsproxy *nsproxy_enter_time(struct nsproxy *p);
static inline bool nsproxy_time_differs(const struct nsproxy *p) { return p->time != p->of[NS_TIME]; }
#define CLONE_NSPROXY                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

/* ---- per kind: by who has the objects ---- */
/* A new one like `old`, with a reference, or ERR_PTR. Frees are for ns_put only. */
struct ns *uts_ns_copy(struct ns *old, struct user_ns *user);
void uts_ns_free(struct ns *ns);
struct ns *ipc_ns_new(struct user_ns *user);
void ipc_ns_free(struct ns *ns);
struct ns *net_ns_new(struct user_ns *user);
void net_ns_free(struct ns *ns);
struct ns *pid_ns_new(struct ns *old, struct user_ns *user);
void pid_ns_free(struct ns *ns);
void user_ns_free(struct ns *ns);
struct ns *time_ns_copy(struct ns *old, struct user_ns *user);
void time_ns_free(struct ns *ns);
extern struct ns init_cgroup_ns;

/*
 * Mount namespaces. copy: CLONE_NEWNS; fs is the caller's (unshare) or child's own, unshared: its root and cwd move to
 * their counterparts. enter: setns; after all checks, root and cwd of current become the root of the namespace; 0 or -errno.
 */
struct ns *mnt_ns_copy(struct ns *old, struct user_ns *user, struct fs_ctx *fs);
void mnt_ns_free(struct ns *ns);
int mnt_ns_enter(struct ns *ns);
bool current_chrooted(void); /* its root is not the root of its mount namespace */

/* ---- files of namespaces (ns/nsfs.c) ---- */
/* What /proc/PID/ns/KIND leads to. Takes over the reference. */
int ns_path(struct ns *ns, struct path *out);
struct inode;
struct ns *ns_of_inode(const struct inode *i); /* the same of an inode */
struct ns *ns_of_file(struct file *f); /* without a reference; NULL: no such file */

#endif
