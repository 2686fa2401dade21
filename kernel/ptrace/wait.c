// SPDX-License-Identifier: Apache-2.0
/* What wait4(2) and waitid(2) report of tracees: their stops, and the ends of those that are no children. */
#include "impl.h"

#include <linux/wait.h>

#include "cred.h"
#include "pid_ns.h"
#include "user_ns.h"
#include "../task/internal.h"

static bool selected(const struct wait_args *a, int tid, int pgrp)
{
	return a->type == P_ALL || (a->type == P_PID ? tid : pgrp) == a->id;
}

static bool take_stop(struct task *t, struct wait_args *a)
{
	struct ptrace *pt = &t->ptrace;

	if (t->state != TASK_TRACED || pt->listening || !pt->stop_code)
		return false;
	a->pid = task_nr(t, task_pid_ns(current));
	a->why = CLD_TRAPPED;
	a->status = pt->stop_code << 8 | 0x7f;
	a->uid = show_uid(t->cred ? t->cred->uid : 0);
	if (!(a->options & WNOWAIT))
		pt->stop_code = 0;
	return true;
}

static bool take_dead(struct ptrace_dead *d, struct wait_args *a)
{
	if (!(a->options & WEXITED) || (d->first && !d->ready))
		return false;
	a->pid = pid_number_in(d->numbers, d->tid, task_pid_ns(current));
	a->why = exit_why(d->exit_code);
	a->status = d->exit_code;
	a->uid = show_uid(d->uid);
	if (!(a->options & WNOWAIT))
		ptrace_dead_release(d);
	return true;
}

static int look_at(struct task *tracer, struct wait_args *a)
{
	struct ptrace_dead *d;
	struct task *t;
	int ret = -ECHILD;

	list_for_each(d, &tracer->ptrace.dead, node) {
		if (!selected(a, d->tid, d->pgrp))
			continue;
		if (take_dead(d, a))
			return 1;
		ret = 0;
	}
	list_for_each(t, &tracer->ptrace.tracees, ptrace.node) {
		if (!selected(a, t->tid, t->proc->pgrp ? t->proc->pgrp->id : 0))
			continue;
		if (take_stop(t, a))
			return 1;
		ret = 0;
	}
	return ret;
}

int ptrace_wait(struct wait_args *a)
{
	struct task *t;
	int ret = -ECHILD, r;

	if (a->options & __WNOTHREAD)
		return look_at(current, a);
	list_for_each(t, &current->proc->threads, thread_node) {
		r = look_at(t, a);
		if (r > 0)
			return r;
		if (!r)
			ret = 0;
	}
	return ret;
}
