/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: immutable once published; a task changes them by installing a changed copy. */
#ifndef CRED_H
#define CRED_H

#include <linux/capability.h>

#include "kernel.h"

struct task;
struct user_ns;

struct cred {
	refcount_t ref;
	struct user_ns *user_ns; /* counted; what the capabilities are over (user_ns.h) */
	u32 uid, euid, suid, fsuid; /* kernel ids */
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	bool no_new_privs;
	u32 pv_id; /* number at the hypervisor, registered on first use; 0 = not yet */
	u32 ngroups;
	u32 *groups;
};

struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
struct cred *cred_copy(const struct cred *c); /* private copy to change; NULL: no memory */
void cred_install(struct cred *c);            /* for current; takes over the reference */
struct cred *task_cred_get(struct task *t);   /* of any task, with a reference */
bool capable(int cap);                        /* current has it, over the container: in the first user namespace */
bool cred_in_group(const struct cred *c, u32 gid);
u32 cred_pv_id(void);                         /* of current, registering it if needed */
void cred_pv_drop(struct cred *c);            /* for cred_put only: gives the number back */
struct boot_process;
struct cred *cred_boot(const struct boot_process *b); /* what the process is to have; NULL: no memory */
struct cred *cred_root(void); /* of a process that the hypervisor adds, while it is set up; NULL: no memory */
int cred_set_groups(struct cred *c, const u32 *groups, u32 n); /* of a private copy. 0 or -ENOMEM */
/* Capabilities that a file has of its own: the attribute security.capability. */
struct file_caps {
	bool effective;
	u64 permitted, inheritable;
};
struct file;
/*
 * exec of a file with this owner and mode: set-id bits, capability recalculation. fc NULL: no file capabilities.
 * *secure: AT_SECURE. New cred or ERR_PTR(-ENOMEM, -EPERM).
 */
struct cred *cred_for_exec(const struct cred *old, u32 mode, u32 uid, u32 gid, bool nosuid,
			   const struct file_caps *fc, bool *secure);
/* Those of f, if they can matter to current. False: it has none. */
bool file_caps_read(struct file *f, struct file_caps *fc);
/* value: the attribute's, len bytes. False: not one of a known version, or of another user namespace. */
bool file_caps_parse(const void *value, size_t len, struct file_caps *fc);

#endif
