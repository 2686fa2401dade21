/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as kernel objects. The host's signals are never the guest's. */
#ifndef SIGNAL_H
#define SIGNAL_H

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "sync.h"

struct task;
struct process;

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
	struct ksigaction action[NSIG_MAX];
	struct waitq signalfd_wait; /* woken when a signal is queued */
};

struct sigqueue {
	struct list_head node;
	siginfo_t info;
	void *timer; /* preallocated by a POSIX timer: not freed when taken */
};

struct sigpending {
	struct list_head queue;
	sigmask_t set;
};

/*
 * Sending. `info` NULL: SI_KERNEL. All take the locks they need (tasklist_lock must NOT be held unless _locked).
 * They wake or kick the target as needed, stop/continue side effects included.
 */
void send_signal_task(struct task *t, int sig, const siginfo_t *info);
void send_signal_process(struct process *p, int sig, const siginfo_t *info);
void send_signal_process_locked(struct process *p, int sig, const siginfo_t *info); /* tasklist_lock held */
int send_signal_pgrp_locked(int pgrp, int sig, const siginfo_t *info);             /* -ESRCH if empty */
/* A fault: cannot be blocked or ignored (then it kills). For the current task. */
void force_signal(int sig, const siginfo_t *info);
/* Is a signal that is not blocked pending for current? */
bool signal_pending(void);
/* Fatal signal (SIGKILL, group exit) pending. */
bool fatal_signal_pending(void);
/* Set current->blocked (SIGKILL, SIGSTOP stripped) and re-evaluate WORK_SIGNAL. */
void set_blocked(sigmask_t mask);
/* For sigsuspend, ppoll, pselect, epoll_pwait: use mask for the duration of the call; restored after a handler frame is set up. */
int set_user_sigmask(uaddr_t mask, u64 size); /* mask 0: nothing. -EFAULT, -EINVAL */
void restore_user_sigmask(bool interrupted);
/* May current signal p (credentials)? 0 or -EPERM. */
int may_signal(struct process *p, int sig);
/* On the way to user mode: deliver, stop or die; fix up ERESTART*. */
void signal_deliver(struct pt_regs *regs);
/* Notify the parent of an exit, stop or continue (siginfo of SIGCHLD; wakes child_wait). tasklist_lock held. why: CLD_*. */
void notify_parent_locked(struct process *p, int why);
/* Take one pending signal in `set` out of the queues (sigwait, signalfd). 0 if none. */
int dequeue_signal(sigmask_t set, siginfo_t *info);
sigmask_t pending_signals(struct task *t);

#endif
