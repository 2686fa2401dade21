// SPDX-License-Identifier: Apache-2.0
/* The end of threads and processes. */
#include <asm/siginfo.h>

#include "cgroup.h"
#include "core.h"
#include "cred.h"
#include "dev.h"
#include "exec_id.h"
#include "internal.h"
#include "kept.h"
#include "mm.h"
#include "pid_ns.h"
#include "seccomp.h"
#include "trace_hook.h"
#include "syscall.h"

void process_free(struct process *p)
{
	kfree(p->cmdline);
	exec_id_put(p->exec_id);
	cgroup_free(p);
	kfree(p->timers); /* stopped by timers_process_exit() */
	kfree(p);
}

/* Give up what a thread holds. Afterwards it has no user memory, files or signals. */
static void release_parts(struct task *t)
{
	struct fdtable *files = t->files;
	struct fs_ctx *fs = t->fs;
	struct mm *mm = t->mm;
	struct nsproxy *nsproxy = t->nsproxy;

	if (unlikely(t->stat_seq.run))
		stat_run_exit(t);
	/* First out of sight: /proc takes references of what it finds here. */
	mutex_lock(&tasklist_lock);
	t->files = NULL;
	t->fs = NULL;
	t->mm = NULL;
	mutex_unlock(&tasklist_lock);
	fdtable_put(files);
	fs_ctx_put(fs);
	mm_put(mm);
	mutex_lock(&tasklist_lock);
	t->nsproxy = NULL;
	mutex_unlock(&tasklist_lock);
	nsproxy_put(nsproxy);
}

static struct process *reaper_of(struct process *p)
{
	struct pid_ns *ns = p->numbers ? p->numbers->ns : &init_pid_ns;
	struct process *r, *last = pid_ns_reaper(ns, p);

	/* Subreapers of the same pid namespace come first. */
	for (r = p->parent; r && r != last && (r->numbers ? r->numbers->ns : &init_pid_ns) == ns; r = r->parent)
		if (r->child_subreaper && !r->group_exiting)
			return r;
	return last;
}

/* Who has them now. */
static struct process *reparent_children(struct process *p)
{
	struct process *c, *tmp, *to = reaper_of(p);

	list_for_each_safe(c, tmp, &p->children, sibling) {
		struct task *t = c->leader;

		list_del(&c->sibling);
		c->parent = to;
		WRITE_ONCE(c->ppid, process_nr(to, c->numbers ? c->numbers->ns : &init_pid_ns));
		c->exit_signal = SIGCHLD;
		list_add_tail(&c->sibling, &to->children);
		if (t && t->pdeathsig)
			send_signal_process_locked(c, t->pdeathsig, NULL);
		if (c->state == TASK_ZOMBIE && !ptrace_hides(c)) {
			notify_parent_locked(c, c->exit_code & 0x7f ? CLD_KILLED : CLD_EXITED);
			if (parent_ignores_children(c))
				c->state = TASK_DEAD;
		}
	}
	return to;
}

/* Children that became DEAD by reparenting are nobody's: release them. tasklist_lock held. */
static void reap_dead(struct process *parent)
{
	struct process *c, *tmp;

	list_for_each_safe(c, tmp, &parent->children, sibling)
		if (c->state == TASK_DEAD)
			process_release(c);
}

/* A zombie was waited for, or is nobody's. tasklist_lock held. */
void process_release(struct process *p)
{
	list_del(&p->sibling);
	pgrp_leave(p);
	process_unhash(p);
	pid_free(p->pid);
	pid_numbers_put(p->numbers);
	p->numbers = NULL;
	p->state = TASK_DEAD;
	p->parent = NULL;
	process_put(p);
}

int exit_why(int status)
{
	if (!(status & 0x7f))
		return CLD_EXITED;
	return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

void process_exit_told(struct process *p)
{
	notify_parent_locked(p, exit_why(p->exit_code));
	if (parent_ignores_children(p) || !p->parent)
		process_release(p);
}

/* The last thread goes: the process becomes a zombie, or nothing. tasklist_lock held. */
static void process_exit(struct process *p)
{
	p->state = TASK_ZOMBIE;
	cgroup_exit(p);
	if (unlikely(p->ptracer))
		yama_process_exit(p);
	waitq_wake_all(&p->pidfd_wait, 0);
	reap_dead(reparent_children(p));
	orphan_check(p);
	if (p->session && p->session->leader == p) {
		tty_leader_exit(p);
		p->session->leader = NULL;
	}
	if (!ptrace_process_exit(p))
		process_exit_told(p);
}

/* Leave the tables. True: it was the last thread. */
static bool unlink_thread(struct task *t)
{
	struct process *p = t->proc;
	struct cred *cred = t->cred;
	u64 user, sys;
	bool last, waited;

	mc_cpu_time(t, false, &user, &sys);
	guard(&tasklist_lock);
	p->utime += user;
	p->stime += sys;
	list_del(&t->thread_node);
	task_unhash(t);
	waited = ptrace_task_exit(t);
	if (t->tid != p->pid && !waited)
		pid_free(t->tid);
	t->state = TASK_DEAD;
	p->nexiting--;
	last = --p->nthreads == 0;
	if (p->leader == t)
		p->leader = last ? NULL : list_first(&p->threads, struct task, thread_node);
	if (p->exec_waiter)
		wake_task(p->exec_waiter);
	if (last) {
		memcpy(p->zombie_comm, t->comm, sizeof(p->zombie_comm));
		p->zombie_uid = cred->euid;
		p->zombie_gid = cred->egid;
		process_exit(p);
	}
	t->cred = NULL;
	cred_put(cred);
	pid_numbers_put(t->numbers);
	t->numbers = NULL;
	seccomp_put(t->seccomp);
	t->seccomp = NULL;
	return last;
}

static bool unlink_and_wake(struct task *t)
{
	defer_wakes();

	return unlink_thread(t);
}

static void last_thread(struct task *t)
{
	struct process *p = t->proc;

	if (p == init_process)
		mc_poweroff(p->exit_code);
	pid_ns_last_exit(p);
	timers_process_exit(p);
	sem_process_exit(p);
	kept_exit(p);
	signal_process_exit(p);
}

void do_exit(int wait_status)
{
	struct task *t = current;
	struct process *p = t->proc;
	struct sighand *sighand = t->sighand;
	u32 event;
	bool last;

	core_task_exit(t);
	ptrace_exit(wait_status);
	mutex_lock(&tasklist_lock);
	last = ++p->nexiting == p->nthreads;
	if (last && !p->group_exiting) {
		p->group_exiting = true;
		p->exit_code = wait_status;
	}
	event = p->event;
	wait_status = p->exit_code;
	mutex_unlock(&tasklist_lock);
	trace_exit(t, last, wait_status);
	signal_task_exit(t);
	futex_task_exit(t);
	if (last)
		last_thread(t);
	task_vfork_release(t);
	syscall_counts_release(t);
	release_parts(t);
	if (last)
		shm_process_exit(p);
	last = unlink_and_wake(t);
	ptrace_free(t);
	sighand_put(sighand);
	cgroup_tell();
	dev_tty_reap();
	if (last && event)
		agent_exited(event, wait_status);
	task_await_wakers(t);
	mc_thread_exit(last);
}

static void kill_threads_locked(struct process *p, struct task *except)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node) {
		if (t == except)
			continue;
		__atomic_fetch_or(&t->mc.work, WORK_EXIT, __ATOMIC_SEQ_CST);
		mc_kick(t);
		mc_unpark(t);
	}
}

void do_group_exit(int wait_status)
{
	struct process *p = current->proc;

	mutex_lock(&tasklist_lock);
	if (!p->group_exiting) {
		p->group_exiting = true;
		p->exit_code = wait_status;
		kill_threads_locked(p, current);
	}
	wait_status = p->exit_code;
	mutex_unlock(&tasklist_lock);
	do_exit(wait_status);
}

/* After an exec by another thread the process keeps its number: the survivor takes it. tasklist_lock held. */
static void become_leader(struct task *t)
{
	struct process *p = t->proc;

	p->leader = t;
	ptrace_leader_replaced(p);
	if (t->tid == p->pid)
		return;
	task_unhash(t);
	pid_free(t->tid);
	t->tid = p->pid;
	t->vtid = p->vpid;
	if (t->numbers) {
		pid_numbers_put(t->numbers);
		t->numbers = pid_numbers_get(p->numbers);
	}
	task_hash(t);
}

static bool alone(struct process *p)
{
	guard(&tasklist_lock);
	return p->nthreads == 1;
}

int kill_other_threads(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	mutex_lock(&tasklist_lock);
	if (p->group_exiting || p->exec_waiter) {
		mutex_unlock(&tasklist_lock);
		return -EAGAIN;
	}
	p->exec_waiter = t;
	kill_threads_locked(p, t);
	mutex_unlock(&tasklist_lock);
	while (!alone(p))
		mc_park_killable(MC_FOREVER);
	mutex_lock(&tasklist_lock);
	p->exec_waiter = NULL;
	become_leader(t);
	mutex_unlock(&tasklist_lock);
	return 0;
}

long sys_exit(u64 code) { do_exit((int)(code & 0xff) << 8); }
long sys_exit_group(u64 code) { do_group_exit((int)(code & 0xff) << 8); }
