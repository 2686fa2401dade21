/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups made inside (fs/cgroup/): directories below the container's own, in the guest kernel alone. A process whose
 * cgroup is NULL is in the container's own, which costs nothing.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include "ns.h"

struct cgroup;
struct process;
struct seq;
struct task;

/* ---- callers hold tasklist_lock ---- */
int cgroup_may_fork(const struct process *parent, struct cgroup *into); /* pids.max. 0 or -EAGAIN; for threads, too */
/* Where a new process is: into, or NULL for its parent's. parent NULL: a process from outside. */
void cgroup_fork(struct process *child, const struct process *parent, struct cgroup *into);
void cgroup_exit(struct process *p); /* its last thread goes, or it never started */
void cgroup_freeze_task(struct task *t); /* a new one, or one that has been stopped: WORK_FREEZE if it is to freeze */

void cgroup_freeze_wait(void); /* WORK_FREEZE */

void cgroup_free(struct process *p); /* nobody knows it any more */
void cgroup_tell(void); /* what was changed under tasklist_lock becomes known to those who watch; call without locks */
void cgroup_path(struct seq *m, struct process *p); /* as current's cgroup namespace shows it */
/* CLONE_INTO_CGROUP: the directory that fd is, with a reference, or ERR_PTR. */
struct cgroup *cgroup_clone_target(int fd);
void cgroup_put(struct cgroup *c); /* NULL is allowed */

struct ns *cgroup_ns_new(struct user_ns *user); /* its root is where current is */
void cgroup_ns_free(struct ns *ns);

#endif
