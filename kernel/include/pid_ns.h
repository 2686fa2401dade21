/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pid namespaces (pid_namespaces(7)). Everywhere in the kernel pids and tids are those of the first one ("global");
 * a task below it has numbers, one for each level. Numbers are mapped where they come from user mode or go there. Who is in
 * the first one has no numbers, and nothing to map.
 */
#ifndef PID_NS_H
#define PID_NS_H

#include "ns.h"
#include "task.h"

#define PID_NS_DEPTH 32

struct pid_ns {
	struct ns ns;
	struct pid_ns *parent; /* counted */
	int level;             /* 0: the first */
	int last;              /* the number given out last */
	int top;               /* the highest ever given out */
	bool ended;            /* its first process has gone: no others can be made */
	int reboot;            /* the signal that its first process is to look ended by; 0: its own status */
	struct process *reaper; /* its first process; NULL: none yet, or none any more */
};

/* Of a thread, and of what is named after one: a process, a group, a session. tasklist_lock protects all. */
struct pid_numbers {
	refcount_t ref;
	int global;
	struct pid_ns *ns; /* the innermost; counted */
	struct pid_level {
		struct list_head node; /* hash */
		struct pid_ns *ns;
		struct pid_numbers *of;
		int nr;
	} at[]; /* by level, less 1 */
};

extern struct pid_ns init_pid_ns;
static inline struct pid_ns *pid_ns_of(struct ns *ns) { return (struct pid_ns *)ns; }
static inline struct pid_ns *task_pid_ns(const struct task *t)
{
	return t->numbers ? t->numbers->ns : &init_pid_ns;
}

/* ---- callers hold tasklist_lock ---- */
/* New numbers in ns for a thread with this global one; wanted: the caller's choice by level, innermost first. Or ERR_PTR(-EAGAIN, -ENOMEM, -EEXIST). */
struct pid_numbers *pid_numbers_new(struct pid_ns *ns, int global, const int *wanted, u32 nwanted);
struct pid_numbers *pid_numbers_get(struct pid_numbers *n);
void pid_numbers_put(struct pid_numbers *n); /* NULL is allowed */
int pid_number_in(const struct pid_numbers *n, int global, const struct pid_ns *ns); /* 0: not to be seen there */
int task_nr(const struct task *t, const struct pid_ns *ns);
int process_nr(const struct process *p, const struct pid_ns *ns);
int pgrp_nr(const struct pgrp *g, const struct pid_ns *ns);
int session_nr(const struct session *s, const struct pid_ns *ns);
int pid_global_in(const struct pid_ns *ns, int nr); /* to the global number; 0: nobody has it */
int pid_next_in(const struct pid_ns *ns, int after); /* the lowest number of a process above `after`; 0: none */
/* By what current calls them. */
int pid_global(int nr);
struct process *find_vprocess(int nr);
struct task *find_vtask(int nr);
struct pgrp *find_vpgrp(int nr);
/* The number that a new process of ns is to have its reaper in: of its namespace, or of an outer one. */
struct process *pid_ns_reaper(struct pid_ns *ns, const struct process *leaving);

/* ---- these take it ---- */
struct seq;
void pidfd_show(struct file *f, struct seq *m, const struct pid_ns *pids); /* what fdinfo has of a pidfd, if f is one */
int pid_shown(int global);    /* what current calls who has this global number; 0: it cannot see it, or it is gone */
int pid_shown_in(int global, const struct pid_ns *ns);
int pid_unshown(int nr);      /* and back: 0 if there is none */
struct process *process_vget(int nr); /* with a reference, or NULL */
void pid_ns_reboot(int sig);  /* current's namespace ends as if by this signal; of the first one the machine does */
void pid_ns_last_exit(struct process *p); /* the first process of a namespace ends: so do all others in it */

#endif
