/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/signal. */
#ifndef SIGNAL_SIG_H
#define SIGNAL_SIG_H

#include <linux/signal.h>

#include "signal.h"
#include "task.h"

#define SYNCHRONOUS_MASK                                                                           \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) |    \
	 SIGBIT(SIGSYS))
#define STOP_MASK (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define IGNORE_MASK (SIGBIT(SIGCONT) | SIGBIT(SIGCHLD) | SIGBIT(SIGWINCH) | SIGBIT(SIGURG))
#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

#define HANDLER_DFL 0
#define HANDLER_IGN 1

static inline bool valid_signal(int sig) { return sig >= 1 && sig <= NSIG_MAX; }
static inline bool sig_in(int sig, sigmask_t mask) { return (mask & SIGBIT(sig)) != 0; }

static inline void work_set(struct task *t, u32 bits)
{
	__atomic_fetch_or(&t->mc.work, bits, __ATOMIC_SEQ_CST);
}

/* Only the task itself clears bits: so an ERESTART* result always meets kernel_user_work(). */
static inline void work_clear(struct task *t, u32 bits)
{
	__atomic_fetch_and(&t->mc.work, ~bits, __ATOMIC_SEQ_CST);
}

/* Pid 1 of a pid namespace is not killed by a signal that it has no handler for. */
static inline bool unkillable(const struct process *p)
{
	return p->ns_reaper && !(READ_ONCE(p->flags) & PROC_KILLABLE);
}

/* ---- queue.c: the queues. sighand->lock held ---- */
void sigpending_init(struct sigpending *q);
/* Adds sig with its information. False: no room for a queue entry (the bit is not set). */
bool sigqueue_add(struct sigpending *q, int sig, const siginfo_t *info, u32 uid, u64 limit);
void sigqueue_flush(struct sigpending *q, sigmask_t mask);
int sigqueue_take(struct sigpending *q, sigmask_t set, siginfo_t *info);
/* Take one of the thread's or of the process's. *timer: the POSIX timer that sent it, or NULL. */
int dequeue_locked(struct task *t, sigmask_t set, siginfo_t *info);

/* ---- mask.c ---- */
/* Set or clear WORK_SIGNAL of current by what is pending and not blocked. No lock needed. */
void recalc_signal_work(struct task *t);

/* ---- send.c ---- */
/* A thread that is alive, to reach the sighand of p. tasklist_lock held; NULL: all have exited. */
struct task *live_thread(struct process *p);
/*
 * Wake a thread that can take a shared pending signal of `mask` which t no longer takes. Both locks
 * held.
 */
void retarget_shared(struct task *t, sigmask_t mask);
void kill_process_locked(struct process *p, int sig);
bool default_ignored(int sig);

/* ---- stop.c ---- */
void group_stop(struct task *t, int sig); /* default action of a stop signal that current took */
void stop_wait(struct task *t);           /* WORK_STOP: park until continued or killed */
/* SIGCONT arrives: end a stop. Both locks held. True: the parent must be told (CLD_CONTINUED) */
bool continue_locked(struct process *p);
void stop_thread_stops(struct process *p); /* the same, as one has stopped; tasklist_lock held */
void stop_thread_exits(struct task *t);   /* the others may now all be stopped; tasklist_lock held */

/* ---- frame.c ---- */
/* Make the user run the handler at its return. 0, or -errno: the frame cannot be written. */
int setup_frame(struct task *t, const struct ksigaction *ka, int sig, const siginfo_t *info,
		struct pt_regs *regs);

#endif
