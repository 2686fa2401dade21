// SPDX-License-Identifier: Apache-2.0
/* getpriority, setpriority, ioprio_get, ioprio_set: one value for a thread, a group or a user. */
#include "syscall.h"

#include <linux/ioprio.h>

#include "cred.h"
#include "pid_ns.h"
#include "sched.h"
#include "task.h"
#include "user_ns.h"

/* Who is meant: PRIO_* and IOPRIO_WHO_* differ by one, and are otherwise the same. */
enum who { WHO_TASK, WHO_PGRP, WHO_USER };

struct selection {
	enum who who;
	u32 id;
	long (*fn)(struct task *t, long so_far, int value);
	int value;
	long result; /* -ESRCH until one matched */
};

static bool selected(struct process *p, const struct selection *s)
{
	if (s->who == WHO_PGRP)
		return p->pgrp && (u32)p->pgrp->id == s->id;
	return p->leader && p->leader->cred->uid == s->id;
}

static int visit(struct process *p, void *arg)
{
	struct selection *s = arg;
	struct task *t;

	if (!selected(p, s))
		return 0;
	list_for_each(t, &p->threads, thread_node)
		s->result = s->fn(t, s->result, s->value);
	return 0;
}

static long select_tasks(struct selection *s)
{
	struct process *me = current->proc;
	struct task *t;

	s->result = -ESRCH;
	guard(&tasklist_lock);
	if (s->who == WHO_TASK) {
		t = s->id ? find_vtask((int)s->id) : current;
		return t ? s->fn(t, s->result, s->value) : -ESRCH;
	}
	if (s->id)
		s->id = s->who == WHO_PGRP ? (u32)pid_global((int)s->id) : make_kuid(current_user_ns(), s->id);
	else
		s->id = s->who == WHO_PGRP ? (u32)me->pgrp->id : current->cred->uid;
	if (!s->id && s->who == WHO_PGRP)
		return -ESRCH;
	for_each_process(visit, s);
	return s->result;
}

/* As Linux returns it: 20 - nice, so that no value looks like an error. The highest wins. */
static long highest_nice(struct task *t, long so_far, int unused)
{
	return max(so_far, 20L - t->sched.nice);
}

/* The error of one stays the result, though the others are done: setpriority(2). */
static long set_nice(struct task *t, long so_far, int nice)
{
	int before = sched_host_nice(t);
	long err = 0;

	if (!sched_may_change(t))
		err = -EPERM;
	else if (!sched_may_nice(t, nice))
		err = -EACCES;
	else
		t->sched.nice = nice;
	if (sched_host_nice(t) != before)
		mc_thread_nice(t, sched_host_nice(t));
	return err ? err : so_far == -ESRCH ? 0 : so_far;
}

long sys_getpriority(u64 which, u64 who)
{
	struct selection s = { .who = (enum who)which, .id = (u32)who, .fn = highest_nice };

	return (u32)which > WHO_USER ? -EINVAL : select_tasks(&s);
}

long sys_setpriority(u64 which, u64 who, u64 nice)
{
	struct selection s = { .who = (enum who)which, .id = (u32)who, .fn = set_nice };

	s.value = clamp((int)nice, -20, 19);
	return (u32)which > WHO_USER ? -EINVAL : select_tasks(&s);
}

/* The lowest number is the best class and level; 0, "none", is what everybody starts with. */
static long best_ioprio(struct task *t, long so_far, int unused)
{
	return so_far == -ESRCH ? (long)t->sched.ioprio : min(so_far, (long)t->sched.ioprio);
}

static long set_ioprio(struct task *t, long so_far, int value)
{
	if (!sched_may_change(t))
		return -EPERM;
	t->sched.ioprio = (u32)value;
	return so_far == -ESRCH ? 0 : so_far;
}

static long check_ioprio(int value)
{
	int level = IOPRIO_PRIO_DATA(value);

	switch (value >> IOPRIO_CLASS_SHIFT) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		return level > 7 ? -EINVAL : 0;
	case IOPRIO_CLASS_BE:
		return level > 7 ? -EINVAL : 0;
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return level ? -EINVAL : 0;
	}
	return -EINVAL;
}

long sys_ioprio_get(u64 which, u64 who)
{
	struct selection s = { .who = (enum who)((u32)which - 1), .id = (u32)who, .fn = best_ioprio };

	return (u32)which - 1 > WHO_USER ? -EINVAL : select_tasks(&s);
}

long sys_ioprio_set(u64 which, u64 who, u64 value)
{
	struct selection s = { .who = (enum who)((u32)which - 1), .id = (u32)who, .fn = set_ioprio };
	long err = check_ioprio((int)value);

	if (err)
		return err;
	s.value = (int)value;
	return (u32)which - 1 > WHO_USER ? -EINVAL : select_tasks(&s);
}
