/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/task that make and end tasks. */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include "ring.h"
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

/* ---- fork.c ---- */
struct process *process_new(struct process *parent, int exit_signal); /* NULL: no memory. parent NULL: none */
void task_parts_put(struct task *t); /* of one that never ran: what it shares, credentials, namespaces */
void task_unlink(struct task *t, u64 flags); /* out of the tables again: it could not be started. flags: CLONE_* it was made by */

/* ---- session.c; tasklist_lock held ---- */
struct pgrp *pgrp_new(struct process *leader, struct session *s);
void pgrp_put(struct pgrp *g);
void session_put(struct session *s);
void pgrp_join(struct process *p, struct pgrp *g); /* takes a reference; leaves the old one */
void pgrp_leave(struct process *p);
struct session *session_new(int id, struct process *leader);
bool session_exists(int id);
/* p is about to exit, or left its group: groups that lost their last tie to the session get SIGHUP, SIGCONT. */
void orphan_check(struct process *p);

/* ---- wait.c ---- */
struct wait_args {
	int type, id; /* P_ALL, P_PID, P_PGID; a global number */
	int options;
	/* result */
	int pid, status, why;
	u32 uid;
	u64 utime, stime;
};

/* ---- pidfd.c ---- */
int pidfd_new(struct process *p, u32 flags); /* takes over a reference */

/* ---- program.c: from a struct boot_process to a program that runs ---- */
struct program {
	const struct boot_process *want;
	const void *base; /* where the offsets in *want count from */
	struct pv_event *event; /* of a process that the hypervisor adds: owned, base points to it */
	u32 number; /* the event that the first exec answers, 0 none */
	struct exec_args args;
	char *why; /* it failed; for the hypervisor. NULL: no memory */
};
/* Directory, credentials, HOME, the file. Acts on the calling process. 0, or -errno and why. */
int program_prepare(struct program *p, bool first);
/* Does not return on success. -errno and why. */
int program_exec(struct program *p);
void program_free(struct program *p);
char *reason_text(int err); /* of an error, in the words of Go; kmalloc'ed */
void program_started(struct process *p); /* its program has been executed */

/* ---- agent.c: what the hypervisor asks ---- */
void agent_answer(u32 event, int result, const char *text);
void agent_exited(u32 event, int wait_status);
void agent_await_start(struct program *p); /* pid 1 */
/* Lines of the processes behind pid `after`: the last one's pid, or 0 if there are no more. */
int agent_processes(u32 after, char *text, size_t size);

/* ---- home.c ---- */
char *boot_home(u32 uid); /* "HOME=..." */

/* ---- exit.c ---- */
void process_free(struct process *p);
int exit_why(int wait_status); /* CLD_EXITED, CLD_KILLED or CLD_DUMPED */
void process_exit_told(struct process *p); /* a zombie: its parent's turn. tasklist_lock held */

#endif
