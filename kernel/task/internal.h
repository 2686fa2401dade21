/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/task that make and end tasks. */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include "task.h"

/* A parent waits for its vfork child's exec or exit. Two references: parent and child. */
struct vfork_done {
	refcount_t ref;
	u32 done;
	struct task *parent;
};

/* ---- pid.c; tasklist_lock held ---- */
void task_hash(struct task *t);
void task_unhash(struct task *t);
void process_hash(struct process *p);
void process_unhash(struct process *p);

/* ---- session.c; tasklist_lock held ---- */
struct pgrp *pgrp_new(int id, struct session *s);
void pgrp_join(struct process *p, struct pgrp *g); /* takes a reference; leaves the old one */
void pgrp_leave(struct process *p);
struct session *session_new(int id, struct process *leader);
bool session_exists(int id);
/* p is about to exit, or left its group: groups that lost their last tie to the session get SIGHUP, SIGCONT. */
void orphan_check(struct process *p);

/* ---- pidfd.c ---- */
int pidfd_new(struct process *p, u32 flags); /* takes over a reference */
struct process *pidfd_process(int fd);       /* with a reference, or ERR_PTR(-EBADF) */

/* ---- home.c ---- */
char *boot_home(u32 uid); /* "HOME=..." */

/* ---- exit.c ---- */
void process_free(struct process *p);
int exit_why(int wait_status); /* CLD_EXITED, CLD_KILLED or CLD_DUMPED */

#endif
