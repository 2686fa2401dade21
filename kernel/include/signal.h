/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as kernel objects. The host's signals are never the guest's. */
#ifndef SIGNAL_H
#define SIGNAL_H

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "sync.h"

struct task;
struct process;
struct posix_timer;
struct pgrp;

typedef u64 sigmask_t; /* bit (sig - 1) */
#define SIGBIT(sig) (1ULL << ((sig) - 1))
#define NSIG_MAX 64

struct ksigaction {
	uaddr_t handler;
	u64 flags;
	uaddr_t restorer;
	sigmask_t mask;
};

struct sighand {
	refcount_t ref;
	struct mutex lock; /* also protects the pending queues of the tasks and processes that share it */
	u32 signalfd_queue; /* where those wait who watch its signals by a descriptor; 0: nobody has */
	struct ksigaction action[NSIG_MAX];
};

struct sigqueue {
	struct list_head node;
	siginfo_t info;
	struct posix_timer *timer; /* preallocated by a POSIX timer: not freed when taken */
	u32 uid;                   /* whose RLIMIT_SIGPENDING it counts against */
};

struct sigpending {
	struct list_head queue;
	sigmask_t set;
};

/*
 * Sending. `info` NULL: SI_KERNEL. All take the locks they need: tasklist_lock must not be held, but
 * for the _locked ones, which want it. They wake or kick the target as needed, stop and continue included.
 * 0, or -EAGAIN: a real-time signal with information does not fit into RLIMIT_SIGPENDING.
 */
int send_signal_task(struct task *t, int sig, const siginfo_t *info);
int send_signal_task_locked(struct task *t, int sig, const siginfo_t *info);
int send_signal_process(struct process *p, int sig, const siginfo_t *info);
int send_signal_process_locked(struct process *p, int sig, const siginfo_t *info);
int send_signal_pgrp_locked(int pgrp, int sig, const siginfo_t *info); /* -ESRCH if empty */
/* From outside the container, as from a parent pid namespace: SIGKILL and SIGSTOP work on pid 1, too. tasklist_lock held. */
void send_signal_outside_locked(struct process *p, int sig);
bool signal_default_ignored(int sig); /* or stops: it does not end a process that has no handler */
/*
 * A POSIX timer's own entry: to thread tid of p, or (0) to p. True: it is still pending from before. Takes
 * a reference to the timer while queued. tasklist_lock must not be held.
 */
bool send_sigqueue(struct process *p, int tid, struct sigqueue *q);
/* time/posix.c, sighand->lock held: the entry was taken (fills in the overruns); entered a queue; left it. */
void posix_timer_taken(struct posix_timer *timer, siginfo_t *info);
void posix_timer_get(struct posix_timer *timer);
void posix_timer_put(struct posix_timer *timer);
/* siginfo of kill(2) by current. */
void siginfo_user(siginfo_t *info, int sig, int code);
/* A fault: cannot be blocked or ignored (then it kills). For the current task. */
void force_signal(int sig, const siginfo_t *info);
/* Is a signal that is not blocked pending for current? */
bool signal_pending(void);
/* Fatal signal (SIGKILL, group exit) pending. */
bool fatal_signal_pending(void);
/* Set current->blocked (SIGKILL, SIGSTOP stripped) and re-evaluate WORK_SIGNAL. */
void set_blocked(sigmask_t mask);
/* For ppoll, pselect, epoll_pwait: use mask for the duration of the call; restored after a handler frame is set up. */
int set_user_sigmask(uaddr_t mask, u64 size); /* mask 0: nothing. -EFAULT, -EINVAL */
void restore_user_sigmask(bool interrupted);
/* May current send sig to p (0: only ask)? 0 or -EPERM. tasklist_lock held. */
int may_signal(struct process *p, int sig);
/* What p does on sig. tasklist_lock held. A child's parent that ignores SIGCHLD, or has SA_NOCLDWAIT, gets no zombies. */
bool parent_ignores_children(struct process *child);
/* Is a signal ignored or blocked by current (job control: SIGTTIN, SIGTTOU)? */
bool signal_ignored_or_blocked(int sig);
/* No member of the process group has a parent in the session but outside the group. tasklist_lock held. */
bool pgrp_orphaned(struct pgrp *g, struct process *except);
/* Some member of the process group is stopped. tasklist_lock held. */
bool pgrp_has_stopped(struct pgrp *g);
/* Notify the parent of an exit, stop or continue (siginfo of SIGCHLD; wakes child_wait). tasklist_lock held. why: CLD_*. */
void notify_parent_locked(struct process *p, int why);
/* Take one pending signal in `set` out of the queues (sigwait, signalfd). 0 if none. */
int dequeue_signal(sigmask_t set, siginfo_t *info);
sigmask_t pending_signals(struct task *t); /* thread's and process's; no lock needed */
/* Wake who reads or polls signals to processes that share s by a descriptor. */
void signalfd_wake(struct sighand *s);

#endif
