// SPDX-License-Identifier: Apache-2.0
/* wait4(2) and waitid(2). */
#include <linux/wait.h>
#include <linux/resource.h>

#include "cred.h"
#include "internal.h"
#include "pid_ns.h"
#include "syscall.h"
#include "user_ns.h"

static bool selected(struct process *c, const struct wait_args *a)
{
	bool clone_child = c->exit_signal != SIGCHLD && !ptrace_traced_by(c, current->proc);

	if (a->type == P_PID && c->pid != a->id)
		return false;
	if (a->type == P_PGID && (!c->pgrp || c->pgrp->id != a->id))
		return false;
	return a->options & __WALL || clone_child == !!(a->options & __WCLONE);
}

static void result(struct wait_args *a, struct process *c, int why, int status)
{
	a->pid = process_nr(c, task_pid_ns(current));
	a->why = why;
	a->status = status;
	a->uid = show_uid(c->leader && c->leader->cred ? c->leader->cred->uid : 0);
	a->utime = c->utime + c->cutime;
	a->stime = c->stime + c->cstime;
}

static bool take_zombie(struct process *c, struct wait_args *a)
{
	struct process *me = current->proc;

	if (c->state != TASK_ZOMBIE || !(a->options & WEXITED) || ptrace_hides(c))
		return false;
	result(a, c, exit_why(c->exit_code), c->exit_code);
	if (a->options & WNOWAIT)
		return true;
	me->cutime += c->utime + c->cutime;
	me->cstime += c->stime + c->cstime;
	me->cmaxrss = max(me->cmaxrss, c->maxrss);
	me->cmaxrss = max(me->cmaxrss, c->cmaxrss);
	process_release(c);
	return true;
}

static bool take_event(struct process *c, struct wait_args *a)
{
	/* Whoever traces its child sees the stops of its threads instead. */
	if (c->wait_event == CLD_STOPPED && a->options & WSTOPPED && !ptrace_traced_by(c, current->proc))
		result(a, c, CLD_STOPPED, c->stop_sig << 8 | 0x7f);
	else if (c->wait_event == CLD_CONTINUED && a->options & WCONTINUED)
		result(a, c, CLD_CONTINUED, 0xffff);
	else
		return false;
	if (!(a->options & WNOWAIT))
		c->wait_event = 0;
	return true;
}

/* 1: found, 0: there are children but none is ready, -ECHILD */
static int look(struct wait_args *a)
{
	struct process *me = current->proc, *c;
	int r = -ECHILD, traced;

	defer_wakes();
	guard(&tasklist_lock);
	list_for_each(c, &me->children, sibling) {
		if (!selected(c, a))
			continue;
		if (take_zombie(c, a) || take_event(c, a))
			return 1;
		r = 0;
	}
	traced = ptrace_wait(a);
	return traced == -ECHILD ? r : traced;
}

static int do_wait(struct wait_args *a)
{
	int found = look(a);
	long r;

	if (found || a->options & WNOHANG)
		return found;
	r = wait_event(&current->proc->child_wait, (found = look(a)) != 0, MC_FOREVER);
	return r ? (int)r : found;
}

static int put_rusage(uaddr_t to, const struct wait_args *a)
{
	struct rusage ru = { 0 };

	if (!to)
		return 0;
	ru.ru_utime.tv_sec = (long)(a->utime / NSEC_PER_SEC);
	ru.ru_utime.tv_usec = (long)(a->utime % NSEC_PER_SEC / 1000);
	ru.ru_stime.tv_sec = (long)(a->stime / NSEC_PER_SEC);
	ru.ru_stime.tv_usec = (long)(a->stime % NSEC_PER_SEC / 1000);
	return mc_copy_to_user(to, &ru, sizeof(ru));
}

/* The global number of whom the caller calls id; of its own group for 0. One that nobody has: -1. */
static int wait_id(int type, int id)
{
	guard(&tasklist_lock);
	if (type == P_PGID && !id)
		return current->proc->pgrp->id;
	id = pid_global(id);
	return id ? id : -1;
}

long sys_wait4(u64 upid, u64 status, u64 options, u64 rusage)
{
	int pid = (int)upid, r;
	struct wait_args a = { .options = (int)options | WEXITED };

	if ((int)options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	a.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	a.id = wait_id(a.type, pid > 0 ? pid : pid < -1 ? -pid : 0);
	r = do_wait(&a);
	if (r <= 0)
		return r;
	if (status && mc_copy_to_user(status, &a.status, sizeof(int)))
		return -EFAULT;
	return put_rusage(rusage, &a) ? -EFAULT : a.pid;
}

static int waitid_args(struct wait_args *a, int type, int id, int options)
{
	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (type == P_PIDFD) {
		struct process *p = pidfd_process(id);

		if (IS_ERR(p))
			return (int)PTR_ERR(p);
		*a = (struct wait_args){ .type = P_PID, .id = p->pid, .options = options };
		process_put(p);
		return 0;
	}
	if (type != P_ALL && type != P_PID && type != P_PGID)
		return -EINVAL;
	if (type != P_ALL && (id < 0 || (!id && type == P_PID)))
		return -EINVAL;
	*a = (struct wait_args){ .type = type, .id = wait_id(type, id), .options = options };
	return 0;
}

long sys_waitid(u64 type, u64 id, u64 uinfo, u64 options, u64 rusage)
{
	struct wait_args a;
	siginfo_t info;
	int r = waitid_args(&a, (int)type, (int)id, (int)options);

	if (r)
		return r;
	r = do_wait(&a);
	if (r < 0)
		return r;
	memset(&info, 0, sizeof(info));
	if (r) {
		info.si_signo = SIGCHLD;
		info.si_code = a.why;
		info.si_pid = a.pid;
		info.si_uid = a.uid;
		info.si_status = a.why == CLD_EXITED ? a.status >> 8 & 0xff :
				 a.why == CLD_STOPPED ? a.status >> 8 & 0xff :
				 a.why == CLD_TRAPPED ? a.status >> 8 :
				 a.why == CLD_CONTINUED ? SIGCONT : a.status & 0x7f;
	}
	if (uinfo && mc_copy_to_user(uinfo, &info, sizeof(info)))
		return -EFAULT;
	return r && put_rusage(rusage, &a) ? -EFAULT : 0;
}
