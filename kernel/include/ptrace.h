/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2): what a task needs to be traced, or to trace, and where the rest of the kernel asks.
 *
 * Everything in struct ptrace changes under tasklist_lock. A tracee is stopped while its state is
 * TASK_TRACED; it stays so, and its kernel stack with it, for as long as tasklist_lock is held. Its
 * registers are then in mc_regs(), and what else belongs to the CPU is in this struct.
 */
#ifndef KERNEL_PTRACE_H
#define KERNEL_PTRACE_H

/* Linux' header has the registers under the same name, and for user programs' eyes. */
#define pt_regs uapi_pt_regs
#include <linux/ptrace.h>
#undef pt_regs

#include "list.h"
#include "signal.h"

struct process;
struct wait_args;
struct ptrace_dead;
struct pid_ns;
struct pid_numbers;
struct pt_regs;

/* ptrace.slow: system calls of this task take the long way. */
#define PT_SYSCALL 1u /* PTRACE_SYSCALL: stop at entry and exit */
#define PT_EMULATE 2u /* PTRACE_SYSEMU: stop at entry, and make no call */
#define PT_STEP 4u    /* PTRACE_SINGLESTEP */
#define PT_WATCH 8u   /* debug registers are in use: steps, and looks (watch.c) */
#define PT_TF (PT_STEP | PT_WATCH)

/* ptrace.traps: stops that a task is to make on its way to user mode; with WORK_PTRACE. */
#define TRAP_STOP 1u
#define TRAP_NOTIFY 2u /* a group stop began or ended */

#define DEBUG_ADDRESSES 4

struct ptrace {
	/* as a tracee */
	struct task *tracer; /* NULL: not traced */
	struct list_head node; /* in tracer->ptrace.tracees */
	u32 options;	     /* PTRACE_O_* */
	u32 slow, traps;
	bool seized, capable; /* capable: the tracer had CAP_SYS_PTRACE */
	bool listening;	      /* PTRACE_LISTEN: stopped, but not for its tracer */
	bool forced_tf;	      /* the trap flag in the user's registers is the tracer's */
	bool fpu_changed;
	bool parent_traced;   /* of a new task: its text is as its parent's tracer needed it */
	bool exiting;	      /* PTRACE_EVENT_EXIT: being killed does not end the stop */
	u8 op;	       /* PTRACE_SYSCALL_INFO_* of the stop */
	int stop_code; /* not waited for yet: wait status >> 8; 0 none */
	int resume_signal;
	int exit_code;
	u64 message;
	siginfo_t *info; /* of the stop, on the tracee's stack; NULL: a group stop has none */
	u64 fsbase;
	u8 *fpu; /* mc_fpu_get(); 64-byte aligned */
	void *fpu_room;
	struct ptrace_dead *record; /* becomes what is left of the task when it has exited */
	u64 debug[8];		    /* DR0 ... DR7 */
	u64 watched[DEBUG_ADDRESSES]; /* what was there at the last look */
	/* as a tracer */
	struct list_head tracees, dead;
};

/* What is left of a traced thread that exited, until the tracer has waited for it. */
struct ptrace_dead {
	struct list_head node; /* in tracer->ptrace.dead */
	struct task *tracer;
	struct process *proc;
	bool first; /* the first thread: its end is told as that of the process, before the process's parent may wait for it */
	bool ready; /* ... which has come */
	int tid, pgrp, exit_code;
	struct pid_numbers *numbers;
	u32 uid;
};

/* ---- access.c ---- */
enum ptrace_mode { PTRACE_ACCESS_FS, PTRACE_ACCESS_REAL }; /* whose ids: file system calls', or the process's own */
/* "Ptrace access mode checking" of ptrace(2), for current. tasklist_lock held. */
bool ptrace_may_access(struct task *t, enum ptrace_mode mode);
/* The same for who would change something: Yama is asked, too. */
bool ptrace_may_attach(struct task *t, enum ptrace_mode mode);
/* Memory of a task, as its debugger sees it; write: also where it is read-only. tasklist_lock held. Bytes or -errno. */
s64 ptrace_memory(struct task *t, uaddr_t addr, void *buf, size_t len, bool write);

/* ---- yama.c ---- */
extern s64 yama_scope; /* kernel.yama.ptrace_scope */
long yama_set_ptracer(u64 arg); /* prctl(PR_SET_PTRACER) */
bool yama_may_traceme(const struct task *parent); /* of current. tasklist_lock held */
void yama_process_exit(struct process *p);	  /* tasklist_lock held */

/* ---- link.c ---- */
void ptrace_task_init(struct task *t);
/* Does current trace with this option? What clone(2) reports: 0 or PTRACE_EVENT_*. */
int ptrace_clone_event(u64 flags, int exit_signal);
/* The child is traced from its start, as current is. `prepare` before it is linked, 0 or -ENOMEM. */
int ptrace_fork_prepare(struct task *child, u64 flags, int event);
void ptrace_fork_link(struct task *child);   /* tasklist_lock held */
void ptrace_fork_unlink(struct task *child); /* tasklist_lock held */
void ptrace_task_start(struct task *t);	     /* first thing that a new thread does */
/* t leaves the tables. True: its number stays taken until its tracer has waited for it. tasklist_lock held. */
bool ptrace_task_exit(struct task *t);
/* The last thread has exited. True: tracers must wait for it, or its threads, before its parent. tasklist_lock held. */
bool ptrace_process_exit(struct process *p);
bool ptrace_hides(const struct process *p); /* ... and have not done so yet */
void ptrace_free(struct task *t); /* what t still holds */
bool ptrace_traced_by(const struct process *p, const struct process *tracer); /* its first thread */
bool process_traced(const struct process *p); /* any thread. tasklist_lock held */
bool ptrace_unsafe_exec(struct task *t);	   /* set-id bits do not count: the tracer would gain by them */
int ptrace_tracer_pid(const struct task *t, const struct pid_ns *ns); /* for /proc; 0 none */
int ptrace_own_tid(void); /* of current, as its tracer calls it */
void ptrace_leader_replaced(struct process *p);	   /* exec: nobody is told that the old one is gone. tasklist_lock held */

/* ---- wait.c: for wait4(2). tasklist_lock held ---- */
int ptrace_wait(struct wait_args *a); /* 1 found, 0 none ready, -ECHILD */

/* ---- stop.c, syscall.c ---- */
int ptrace_signal(int sig, siginfo_t *info); /* signal-delivery-stop; the signal to deliver, 0 none */
void ptrace_event(int event, u64 message);   /* stops if the tracer has asked for it */
void ptrace_event_pid(int event, int nr);    /* the message is a pid: nr as current calls it */
void ptrace_exec(int old_tid);		     /* old_tid: ptrace_own_tid() before */
void ptrace_exit(int code);		     /* PTRACE_EVENT_EXIT */
s64 syscall_dispatch(struct task *t, struct pt_regs *r); /* task/boot.c */
s64 ptrace_syscall(struct pt_regs *r);	     /* instead of syscall_dispatch() */
s64 ptrace_syscall_exit(struct pt_regs *r, s64 ret);
void ptrace_handler_entered(void);	     /* a signal handler's first instruction is a step's end */
bool ptrace_seccomp(u32 data);		     /* SECCOMP_RET_TRACE; false: nobody traces it */
void ptrace_group_stop(void);		     /* WORK_STOP of a traced task */
void ptrace_trap(void);			     /* WORK_PTRACE */
void ptrace_stop_changed(struct task *t);    /* a group stop began or ended. Both locks held */
/* The user's own registers again; and the trap flag as the tracer wants it, last thing on the way to user mode. */
void ptrace_work_begin(struct pt_regs *r);
void ptrace_work_end(struct pt_regs *r);
/* A trap of user code: true if it was for single steps or watching only, and is dealt with. */
bool ptrace_step_trap(struct pt_regs *r, int code);

#endif
