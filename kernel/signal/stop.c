// SPDX-License-Identifier: Apache-2.0
/*
 * Job control: stopping and continuing processes, and what their parents learn of it.
 *
 * The thread that takes a stop signal sets PROC_STOPPING and WORK_STOP of all threads; each then
 * parks in stop_wait() in state TASK_STOPPED, and the last one makes it PROC_STOPPED and tells the
 * parent. SIGCONT takes the flags away and sets the states back to TASK_RUNNING, which is what the
 * parked threads wait for. States and flags change under tasklist_lock and sighand->lock.
 */
#include "sig.h"

#include "cgroup.h"
#include "pid_ns.h"
#include "user_ns.h"

/* ---- what the parent learns ---- */

static struct ksigaction parent_action(struct process *child)
{
	struct task *t = child->parent ? live_thread(child->parent) : NULL;

	return t ? t->sighand->action[SIGCHLD - 1] : (struct ksigaction){ .handler = HANDLER_DFL };
}

bool parent_ignores_children(struct process *child)
{
	struct ksigaction a = parent_action(child);

	return child->exit_signal == SIGCHLD &&
	       (a.handler == HANDLER_IGN || (a.flags & SA_NOCLDWAIT));
}

static u64 ticks(u64 ns)
{
	return ns / (NSEC_PER_SEC / HZ);
}

static int status_of(struct process *p, int why)
{
	switch (why) {
	case CLD_EXITED:
		return (p->exit_code >> 8) & 0xff;
	case CLD_KILLED:
	case CLD_DUMPED:
		return p->exit_code & 0x7f;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return p->stop_sig;
	}
}

static void child_info(struct process *p, int why, siginfo_t *info)
{
	/*
	 * The last thread of a process that exits is no longer in its list, but still has its
	 * credentials.
	 */
	struct task *t = p == current->proc ? current : p->leader, *to = live_thread(p->parent);

	memset(info, 0, sizeof(*info));
	info->si_code = why;
	info->si_pid = process_nr(p, to ? task_pid_ns(to) : &init_pid_ns);
	info->si_uid = t && t->cred ? t->cred->uid : 0;
	if (to && to->cred)
		info->si_uid = show_uid_in(to->cred->user_ns, info->si_uid);
	info->si_status = status_of(p, why);
	info->si_utime = (long)ticks(p->utime);
	info->si_stime = (long)ticks(p->stime);
}

void notify_parent_locked(struct process *p, int why)
{
	bool exits = why == CLD_EXITED || why == CLD_KILLED || why == CLD_DUMPED;
	struct ksigaction a = parent_action(p);
	int sig = exits ? p->exit_signal : SIGCHLD;
	siginfo_t info;

	if (!exits)
		p->wait_event = why;
	if (!p->parent)
		return;
	if (!exits && (a.handler == HANDLER_IGN || (a.flags & SA_NOCLDSTOP)))
		sig = 0;
	if (exits && sig == SIGCHLD && a.handler == HANDLER_IGN)
		sig = 0;
	if (sig > 0 && sig <= NSIG_MAX) { /* clone(2) takes any number */
		child_info(p, why, &info);
		send_signal_process_locked(p->parent, sig, &info);
	}
	waitq_wake_all(&p->parent->child_wait, 0);
}

/* ---- orphaned process groups (POSIX: nobody in the session could continue them) ---- */

bool pgrp_orphaned(struct pgrp *g, struct process *except)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_node) {
		struct process *parent = p->parent;

		if (p == except || p->state == TASK_ZOMBIE || !parent)
			continue;
		if (parent->pgrp != g && parent->session == p->session)
			return false;
	}
	return true;
}

bool pgrp_has_stopped(struct pgrp *g)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_node)
		if (p->flags & PROC_STOPPED)
			return true;
	return false;
}

/* ---- stopping ---- */

void group_stop(struct task *t, int sig)
{
	struct process *p = t->proc;
	struct task *other;

	defer_wakes();
	guard(&tasklist_lock);
	if (sig != SIGSTOP && p->pgrp && pgrp_orphaned(p->pgrp, NULL))
		return;
	guard(&t->sighand->lock);
	if (!(p->flags & PROC_STOP_DEQUEUED) || p->group_exiting)
		return;
	p->flags &= ~PROC_STOP_DEQUEUED;
	p->flags |= PROC_STOPPING;
	p->stop_sig = sig;
	list_for_each(other, &p->threads, thread_node) {
		work_set(other, WORK_STOP);
		if (other == t)
			continue;
		kick_task(other);
		ptrace_stop_changed(other);
	}
}

/* tasklist_lock held. */
static bool all_stopped(struct process *p, struct task *except)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (t != except && t->state == TASK_RUNNING)
			return false;
	return true;
}

/* tasklist_lock held. */
static void stop_complete(struct process *p)
{
	p->flags &= ~PROC_STOPPING;
	p->flags |= PROC_STOPPED;
	if (p->parent && ptrace_traced_by(p, p->parent))
		p->wait_event = CLD_STOPPED; /* seen when it traces no more */
	else
		notify_parent_locked(p, CLD_STOPPED);
}

void stop_thread_stops(struct process *p)
{
	if ((p->flags & PROC_STOPPING) && !p->group_exiting && all_stopped(p, NULL))
		stop_complete(p);
}

static bool enter_stop(struct task *t)
{
	struct process *p = t->proc;
	bool stop;

	defer_wakes();
	guard(&tasklist_lock);
	mutex_lock(&t->sighand->lock);
	stop = (p->flags & (PROC_STOPPING | PROC_STOPPED)) && !p->group_exiting;
	if (stop)
		t->state = TASK_STOPPED;
	mutex_unlock(&t->sighand->lock);
	if (stop && (p->flags & PROC_STOPPING) && all_stopped(p, NULL))
		stop_complete(p);
	return stop;
}

static void leave_stop(struct task *t)
{
	guard(&tasklist_lock);
	guard(&t->sighand->lock);
	t->state = TASK_RUNNING;
	/*
	 * Continued and stopped again meanwhile: the new WORK_STOP may be among the bits cleared.
	 */
	if (t->proc->flags & (PROC_STOPPING | PROC_STOPPED))
		work_set(t, WORK_STOP);
	if (t->proc->cgroup)
		cgroup_freeze_task(t);
}

void stop_wait(struct task *t)
{
	u32 kept = READ_ONCE(t->mc.work) & (WORK_SIGMASK | WORK_PTRACE);

	if (READ_ONCE(t->ptrace.tracer)) {
		ptrace_group_stop();
		return;
	}
	work_clear(t, WORK_STOP);
	if (!enter_stop(t))
		return;
	while (READ_ONCE(t->state) == TASK_STOPPED && !(READ_ONCE(t->mc.work) & WORK_EXIT)) {
		/*
		 * With work pending the park would return at once; what matters is looked at again
		 * below.
		 */
		work_clear(t, ~WORK_EXIT);
		mc_park(MC_FOREVER);
	}
	leave_stop(t);
	work_set(t, WORK_NOTIFY | kept);
	recalc_signal_work(t);
}

void stop_thread_exits(struct task *t)
{
	struct process *p = t->proc;

	if ((p->flags & PROC_STOPPING) && !p->group_exiting && p->nthreads > 1 && all_stopped(p, t))
		stop_complete(p);
}

bool continue_locked(struct process *p)
{
	bool was_stopped = (p->flags & PROC_STOPPED) != 0;
	struct task *t;

	p->flags &= ~(PROC_STOPPED | PROC_STOPPING | PROC_STOP_DEQUEUED);
	list_for_each(t, &p->threads, thread_node)
		if (t->state == TASK_STOPPED) {
			t->state = TASK_RUNNING;
			wake_task(t);
		} else if (was_stopped) {
			ptrace_stop_changed(t);
		}
	return was_stopped && !p->group_exiting;
}
