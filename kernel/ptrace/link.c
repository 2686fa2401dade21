// SPDX-License-Identifier: Apache-2.0
/* Who traces whom: attaching, children that are traced from their start, detaching, and exits of both sides. */
#include "impl.h"

#include <linux/sched.h>

#include "cred.h"
#include "pid_ns.h"
#include "user_ns.h"
#include "../task/internal.h"

void ptrace_task_init(struct task *t)
{
	list_init(&t->ptrace.node);
	list_init(&t->ptrace.tracees);
	list_init(&t->ptrace.dead);
}

/* What a tracee needs. Its tracer must not fail later for want of memory. */
static int room_alloc(struct ptrace *pt)
{
	if (pt->fpu)
		return 0;
	pt->record = kzalloc(sizeof(*pt->record));
	pt->fpu_room = kzalloc(mc_fpu_size() + 64);
	if (!pt->record || !pt->fpu_room) {
		kfree(pt->record);
		kfree(pt->fpu_room);
		pt->record = NULL;
		pt->fpu_room = NULL;
		return -ENOMEM;
	}
	list_init(&pt->record->node);
	pt->fpu = (u8 *)(((u64)pt->fpu_room + 63) & ~63ULL);
	return 0;
}

void ptrace_free(struct task *t)
{
	kfree(t->ptrace.record);
	kfree(t->ptrace.fpu_room);
	t->ptrace.record = NULL;
	t->ptrace.fpu_room = NULL;
	t->ptrace.fpu = NULL;
}

static void link_tracee(struct task *t, struct task *tracer, u32 options, bool seized)
{
	struct ptrace *pt = &t->ptrace;

	pt->options = options;
	pt->seized = seized;
	pt->slow = pt->traps = 0;
	pt->resume_signal = 0;
	list_add_tail(&pt->node, &tracer->ptrace.tracees);
	WRITE_ONCE(pt->tracer, tracer);
}

/* ---- the calls ---- */

/* The thread that made this process, or the one that has taken its place. */
static struct task *parent_task(struct process *p)
{
	struct task *t = p->parent ? find_task(p->parent_tid) : NULL;

	if (t && t->proc == p->parent)
		return t;
	return p->parent ? p->parent->leader : NULL;
}

long ptrace_traceme(void)
{
	struct task *t = current, *parent;
	int err = room_alloc(&t->ptrace);

	if (err)
		return err;
	guard(&tasklist_lock);
	parent = parent_task(t->proc);
	if (t->ptrace.tracer || !parent || !yama_may_traceme(parent))
		return -EPERM;
	link_tracee(t, parent, 0, false);
	t->ptrace.capable = parent->cred && cred_capable(parent->cred, t->cred->user_ns, CAP_SYS_PTRACE);
	return 0;
}

static bool may_attach(struct task *t)
{
	return t->proc != current->proc && !t->ptrace.tracer && ptrace_may_attach(t, PTRACE_ACCESS_REAL);
}

/* One that job control has stopped makes that a stop for its tracer. */
static void restop(struct task *t)
{
	guard(&t->sighand->lock);
	if (t->state != TASK_STOPPED)
		return;
	t->state = TASK_RUNNING;
	work_set(t, WORK_STOP);
	wake_task(t);
}

static long attach_locked(struct task *t, struct ptrace *room, bool seize, u64 options)
{
	if (!t)
		return -ESRCH;
	if (!may_attach(t))
		return -EPERM;
	if (t->state == TASK_ZOMBIE || t->state == TASK_DEAD || !t->sighand)
		return -ESRCH;
	if (!t->ptrace.fpu) {
		t->ptrace.fpu = room->fpu;
		t->ptrace.fpu_room = room->fpu_room;
		t->ptrace.record = room->record;
		room->fpu_room = NULL;
		room->record = NULL;
	}
	link_tracee(t, current, (u32)options, seize);
	t->ptrace.capable = ns_capable(t->cred->user_ns, CAP_SYS_PTRACE);
	if (!seize)
		send_signal_task_locked(t, SIGSTOP, NULL);
	restop(t);
	return 0;
}

long ptrace_attach(int tid, bool seize, u64 options)
{
	struct ptrace room = { 0 };
	long ret = room_alloc(&room);

	if (!ret) {
		defer_wakes();
		guard(&tasklist_lock);
		ret = attach_locked(find_vtask(tid), &room, seize, options);
	}
	kfree(room.record);
	kfree(room.fpu_room);
	return ret;
}

/* The task is nobody's any more: it goes on, or into the stop that its process is in. */
void ptrace_unlink(struct task *t)
{
	struct ptrace *pt = &t->ptrace;

	list_del(&pt->node);
	WRITE_ONCE(pt->tracer, NULL);
	pt->options = 0;
	pt->traps = 0;
	WRITE_ONCE(pt->slow, 0);
	memset(pt->debug, 0, sizeof(pt->debug));
	if (!t->sighand)
		return;
	guard(&t->sighand->lock);
	if (t->proc->flags & (PROC_STOPPED | PROC_STOPPING))
		work_set(t, WORK_STOP);
	work_set(t, WORK_PTRACE);
	if (t->state == TASK_TRACED)
		ptrace_resume(t);
	else
		kick_task(t);
}

bool ptrace_traced_by(const struct process *p, const struct process *tracer)
{
	const struct task *t = p->leader;

	return t && t->ptrace.tracer && t->ptrace.tracer->proc == tracer;
}

bool process_traced(const struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (t->ptrace.tracer)
			return true;
	return false;
}

int ptrace_tracer_pid(const struct task *t, const struct pid_ns *ns)
{
	return t->ptrace.tracer ? task_nr(t->ptrace.tracer, ns) : 0;
}

int ptrace_own_tid(void)
{
	struct task *t = current;

	guard(&tasklist_lock);
	return t->ptrace.tracer ? task_nr(t, task_pid_ns(t->ptrace.tracer)) : 0;
}

bool ptrace_unsafe_exec(struct task *t)
{
	guard(&tasklist_lock);
	return t->ptrace.tracer && !t->ptrace.capable;
}

/* ---- children ---- */

int ptrace_clone_event(u64 flags, int exit_signal)
{
	struct ptrace *pt = &current->ptrace;
	int event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK :
		    exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE : PTRACE_EVENT_FORK;

	if (!traced(current) || flags & CLONE_UNTRACED || !(pt->options & 1u << event))
		return 0;
	return event;
}

int ptrace_fork_prepare(struct task *child, u64 flags, int event)
{
	if (!traced(current))
		return 0;
	child->ptrace.parent_traced = true;
	return event || flags & CLONE_PTRACE ? room_alloc(&child->ptrace) : 0;
}

void ptrace_fork_link(struct task *child)
{
	struct ptrace *mine = &current->ptrace;

	if (!child->ptrace.fpu || !mine->tracer)
		return;
	link_tracee(child, mine->tracer, mine->options, mine->seized);
	child->ptrace.capable = mine->capable;
	if (mine->seized) {
		child->ptrace.traps = TRAP_STOP;
		work_set(child, WORK_PTRACE);
	} else {
		child->pending.set |= SIGBIT(SIGSTOP);
		work_set(child, WORK_SIGNAL);
	}
}

void ptrace_fork_unlink(struct task *child)
{
	if (!child->ptrace.tracer)
		return;
	list_del(&child->ptrace.node);
	child->ptrace.tracer = NULL;
}

/* A copy of a traced space is as the tracer needs it; if nobody traces the copy, that can go. */
void ptrace_task_start(struct task *t)
{
	if (unlikely(t->ptrace.parent_traced) && t->copied_mm && !traced(t))
		mc_code_original(false);
}

/* ---- the tracee exits ---- */

static void record_free(struct ptrace_dead *d)
{
	list_del(&d->node);
	if (d->first)
		d->proc->traced_leader = NULL;
	else
		d->proc->dead_threads--;
	pid_numbers_put(d->numbers);
	kfree(d);
}

bool ptrace_hides(const struct process *p) { return p->traced_leader || p->dead_threads; }

/* The process has exited, and nobody is to wait for its threads any more: its tracer's turn, or its parent's. */
static void end_told(struct process *p)
{
	struct ptrace_dead *d = p->traced_leader;

	if (!d || d->tracer->proc == p->parent) { /* who waits for it anyway */
		if (d)
			record_free(d);
		process_exit_told(p);
		return;
	}
	d->ready = true;
	d->exit_code = p->exit_code;
	ptrace_tell(d->tracer, pid_number_in(d->numbers, d->tid, task_pid_ns(d->tracer)), d->uid, exit_why(d->exit_code),
		    d->exit_code);
}

void ptrace_dead_release(struct ptrace_dead *d)
{
	struct process *p = d->proc;
	bool last = d->ready;

	if (!d->first) {
		pid_free(d->tid);
		last = p->dead_threads == 1 && p->state == TASK_ZOMBIE;
	}
	record_free(d);
	if (last)
		end_told(p);
}

bool ptrace_process_exit(struct process *p)
{
	if (!ptrace_hides(p))
		return false;
	if (!p->dead_threads)
		end_told(p);
	return true;
}

static bool ignores_children(const struct task *t)
{
	const struct ksigaction *a = &t->sighand->action[SIGCHLD - 1];

	return a->handler == HANDLER_IGN || a->flags & SA_NOCLDWAIT;
}

/* Another than the first thread: the tracer is told at once. */
static bool bury_thread(struct task *tracer, struct ptrace_dead *d)
{
	ptrace_tell(tracer, pid_number_in(d->numbers, d->tid, task_pid_ns(tracer)), d->uid, exit_why(d->exit_code),
		    d->exit_code);
	if (tracer->sighand && ignores_children(tracer)) {
		pid_numbers_put(d->numbers);
		kfree(d);
		return false;
	}
	list_add_tail(&d->node, &tracer->ptrace.dead);
	d->proc->dead_threads++;
	return true;
}

static bool tracee_exits(struct task *t)
{
	struct ptrace_dead *d = t->ptrace.record;
	struct process *p = t->proc;
	struct task *tracer = t->ptrace.tracer;

	list_del(&t->ptrace.node);
	t->ptrace.tracer = NULL;
	*d = (struct ptrace_dead){
		.tracer = tracer,
		.tid = t->tid,
		.pgrp = p->pgrp ? p->pgrp->id : 0,
		.exit_code = p->group_exiting ? p->exit_code : t->ptrace.exit_code,
		.uid = t->cred ? t->cred->uid : 0,
		.proc = p,
		.first = t->tid == p->pid,
		.numbers = pid_numbers_get(t->numbers),
	};
	list_init(&d->node);
	t->ptrace.record = NULL;
	if (!d->first)
		return bury_thread(tracer, d);
	p->traced_leader = d;
	list_add_tail(&d->node, &tracer->ptrace.dead);
	return true;
}

void ptrace_leader_replaced(struct process *p)
{
	if (p->traced_leader)
		record_free(p->traced_leader);
}

/* ---- the tracer exits ---- */

static void orphan(struct task *t)
{
	struct process *p = t->proc;
	bool kill = t->ptrace.options & PTRACE_O_EXITKILL;

	ptrace_unlink(t);
	if (kill && t->sighand) {
		guard(&t->sighand->lock);
		kill_process_locked(p, SIGKILL);
	}
}

bool ptrace_task_exit(struct task *t)
{
	struct task *tracee, *tmp;

	list_for_each_safe(tracee, tmp, &t->ptrace.tracees, ptrace.node)
		orphan(tracee);
	while (!list_empty(&t->ptrace.dead))
		ptrace_dead_release(list_first(&t->ptrace.dead, struct ptrace_dead, node));
	return t->ptrace.tracer && tracee_exits(t);
}
