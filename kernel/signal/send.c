// SPDX-License-Identifier: Apache-2.0
/*
 * Sending signals. All of it runs under tasklist_lock (thread lists, and that the target exists)
 * and the sighand lock of the target. What must happen to third parties, such as telling the parent
 * about a SIGCONT, waits until the sighand lock is released: two are never held at once.
 */
#include "core.h"
#include "sig.h"

#include "pid_ns.h"
#include "user_ns.h"

bool default_ignored(int sig)
{
	return sig_in(sig, IGNORE_MASK);
}

struct task *live_thread(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (t->state != TASK_ZOMBIE && t->state != TASK_DEAD && t->sighand)
			return t;
	return NULL;
}

/*
 * Would the signal have no effect at all? Blocked ones are kept: the handler may change, and
 * sigwait and signalfd see ignored ones.
 */
static bool dropped(struct task *t, int sig, bool outside)
{
	uaddr_t handler = t->sighand->action[sig - 1].handler;

	if (t->ptrace.tracer && sig != SIGKILL) /* who wants to know of them all */
		return false;
	if (sig_in(sig, t->blocked) || sig_in(sig, t->real_blocked))
		return false;
	if (handler == HANDLER_DFL && unkillable(t->proc) && !(outside && sig_in(sig, UNBLOCKABLE)))
		return true;
	return handler == HANDLER_IGN || (handler == HANDLER_DFL && default_ignored(sig));
}

static void flush_everywhere(struct process *p, sigmask_t mask)
{
	struct task *t;

	sigqueue_flush(&p->pending, mask);
	list_for_each(t, &p->threads, thread_node)
		sigqueue_flush(&t->pending, mask);
}

/*
 * A stop signal and SIGCONT cancel each other, whether blocked, ignored or not. True: tell the
 * parent.
 */
static bool stop_continue_effects(struct process *p, int sig)
{
	if (sig_in(sig, STOP_MASK))
		flush_everywhere(p, SIGBIT(SIGCONT));
	if (sig != SIGCONT)
		return false;
	flush_everywhere(p, STOP_MASK);
	return continue_locked(p);
}

static bool wants(struct task *t, int sig)
{
	return !sig_in(sig, READ_ONCE(t->blocked)) && t->state == TASK_RUNNING &&
	       !(READ_ONCE(t->mc.work) & (WORK_SIGNAL | WORK_EXIT));
}

static void wake_for_signal(struct task *t)
{
	work_set(t, WORK_SIGNAL);
	if (t != current)
		kick_task(t);
}

/*
 * Some thread must look. One that has WORK_SIGNAL set already takes what is shared when it
 * does, so if nobody wants the signal, everybody blocks it or somebody is on his way.
 */
static void wake_one(struct process *p, int sig, struct task *except)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (t != except && wants(t, sig)) {
			wake_for_signal(t);
			return;
		}
}

void retarget_shared(struct task *t, sigmask_t mask)
{
	for (mask &= t->proc->pending.set; mask; mask &= mask - 1)
		wake_one(t->proc, __builtin_ctzll(mask) + 1, t);
}

/*
 * The current thread comes first for what it sends to its own process: kill(2) promises delivery at
 * its return.
 */
static void wake_process(struct process *p, int sig)
{
	struct task *t = current;

	if (t->proc == p && wants(t, sig))
		wake_for_signal(t);
	else
		wake_one(p, sig, NULL);
}

void kill_process_locked(struct process *p, int sig)
{
	struct task *t;

	if (p->group_exiting) {
		core_abort(p);
		return;
	}
	p->group_exiting = true;
	p->exit_code = sig;
	p->flags &= ~(PROC_STOPPED | PROC_STOPPING | PROC_STOP_DEQUEUED);
	list_for_each(t, &p->threads, thread_node) {
		work_set(t, WORK_EXIT);
		if (t == current)
			continue;
		kick_task(t);
		wake_task(t); /* from where kicks do not wake (vfork) */
	}
}

static void fill_kernel_info(siginfo_t *info, int sig)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = SI_KERNEL;
}

/*
 * Put it on the queue. -EAGAIN: sigqueue(3) of a real-time signal over the limit; others lose their
 * information.
 */
static int enqueue(struct task *t, struct sigpending *q, int sig, const siginfo_t *info)
{
	u64 limit = READ_ONCE(t->proc->rlim[RLIMIT_SIGPENDING].rlim_cur);
	bool legacy = sig < SIGRTMIN;
	siginfo_t kernel_info;

	if (legacy && sig_in(sig, q->set))
		return 0;
	if (!info) {
		fill_kernel_info(&kernel_info, sig);
		info = &kernel_info;
	}
	/*
	 * As in Linux, the kernel's own and kill(2)'s information on standard signals is over no
	 * limit.
	 */
	if (legacy && info->si_code >= 0)
		limit = ~0ULL;
	if (!sigqueue_add(q, sig, info, t->cred ? t->cred->uid : 0, limit) && !legacy &&
	    info->si_code != SI_USER)
		return -EAGAIN;
	return 0;
}

static void mark_pending(struct task *t, struct process *group, struct sigpending *q, int sig)
{
	__atomic_fetch_or(&q->set, SIGBIT(sig), __ATOMIC_SEQ_CST);
	signalfd_wake(t->sighand);
	if (group)
		wake_process(group, sig);
	else if (!sig_in(sig, READ_ONCE(t->blocked)))
		wake_for_signal(t);
}

/* Has current a number in the pid namespace of t? */
static bool visible_to(const struct task *t)
{
	return !t->numbers || !current->proc || process_nr(current->proc, task_pid_ns(t));
}

/*
 * A sender's pid and user are told as the receiver sees them. True: it cannot see the sender, which is in an outer pid
 * namespace.
 */
static bool to_receiver(const struct task *t, siginfo_t *info)
{
	bool outer = !visible_to(t);

	if (outer)
		info->si_pid = 0;
	if (t->cred)
		info->si_uid = show_uid_in(t->cred->user_ns, info->si_uid);
	return outer;
}

/* Of kill(2), sigqueue(3) and their kin; not what timers and files send. */
static bool has_sender(const siginfo_t *info)
{
	return info && (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE);
}

/* To thread t, or to the process `group` of which t is a live thread. tasklist_lock held. */
static int send(struct task *t, struct process *group, int sig, const siginfo_t *info, bool outside)
{
	struct process *p = t->proc;
	struct sigpending *q = group ? &p->pending : &t->pending;
	siginfo_t copy;
	bool continued;
	int err = 0;

	if (unlikely(t->numbers) && !info && !visible_to(t)) /* the death of its parent, which is in an outer one */
		outside = true;
	else if (unlikely(t->numbers || (t->cred && t->cred->user_ns != &init_user_ns)) && !outside && has_sender(info)) {
		copy = *info;
		outside = to_receiver(t, &copy);
		info = &copy;
	}
	mutex_lock(&t->sighand->lock);
	continued = stop_continue_effects(p, sig);
	if (!dropped(t, sig, outside)) {
		if (sig == SIGKILL) {
			kill_process_locked(p, SIGKILL);
		} else {
			err = enqueue(t, q, sig, info);
			if (!err)
				mark_pending(t, group, q, sig);
		}
	}
	mutex_unlock(&t->sighand->lock);
	if (continued)
		notify_parent_locked(p, CLD_CONTINUED);
	return err;
}

static struct task *sigqueue_target(struct process *p, int tid)
{
	struct task *t;

	if (!tid)
		return live_thread(p);
	t = find_task(tid);
	return t && t->proc == p && t->state != TASK_ZOMBIE && t->state != TASK_DEAD ? t : NULL;
}

bool send_sigqueue(struct process *p, int tid, struct sigqueue *q)
{
	int sig = q->info.si_signo;
	struct sigpending *to;
	struct task *t;

	defer_wakes();
	guard(&tasklist_lock);
	t = sigqueue_target(p, tid);
	if (!t)
		return false;
	guard(&t->sighand->lock);
	if (!list_empty(&q->node))
		return true;
	if (sig == SIGKILL) {
		if (!dropped(t, sig, false))
			kill_process_locked(p, sig);
	} else if (!dropped(t, sig, false)) {
		to = tid ? &t->pending : &p->pending;
		posix_timer_get(q->timer);
		list_add_tail(&q->node, &to->queue);
		mark_pending(t, tid ? NULL : p, to, sig);
	}
	return false;
}

int send_signal_task_locked(struct task *t, int sig, const siginfo_t *info)
{
	if (t->state == TASK_ZOMBIE || t->state == TASK_DEAD || !t->sighand)
		return 0;
	return send(t, NULL, sig, info, false);
}

int send_signal_task(struct task *t, int sig, const siginfo_t *info)
{
	defer_wakes();
	guard(&tasklist_lock);

	return send_signal_task_locked(t, sig, info);
}

int send_signal_process_locked(struct process *p, int sig, const siginfo_t *info)
{
	struct task *t = live_thread(p);

	return t ? send(t, p, sig, info, false) : 0;
}

int send_signal_process(struct process *p, int sig, const siginfo_t *info)
{
	defer_wakes();
	guard(&tasklist_lock);

	return send_signal_process_locked(p, sig, info);
}

int send_signal_pgrp_locked(int pgrp, int sig, const siginfo_t *info)
{
	struct pgrp *g = find_pgrp(pgrp);
	struct process *p;

	if (!g || list_empty(&g->members))
		return -ESRCH;
	list_for_each(p, &g->members, pgrp_node)
		send_signal_process_locked(p, sig, info);
	return 0;
}

void send_signal_outside_locked(struct process *p, int sig)
{
	struct task *t = live_thread(p);
	siginfo_t info;

	fill_kernel_info(&info, sig);
	info.si_code = SI_USER; /* from pid 0: outside */
	if (t)
		send(t, p, sig, &info, true);
}

bool signal_default_ignored(int sig)
{
	return default_ignored(sig) || sig_in(sig, STOP_MASK);
}

void force_signal(int sig, const siginfo_t *info)
{
	struct task *t = current;
	struct ksigaction *a = &t->sighand->action[sig - 1];

	guard(&t->sighand->lock);
	if (sig_in(sig, t->blocked) || a->handler == HANDLER_IGN) {
		a->handler = HANDLER_DFL;
		WRITE_ONCE(t->blocked, t->blocked & ~SIGBIT(sig));
	}
	if (a->handler == HANDLER_DFL && t->proc->ns_reaper)
		t->proc->flags |= PROC_KILLABLE;
	enqueue(t, &t->pending, sig, info);
	mark_pending(t, NULL, &t->pending, sig);
}
