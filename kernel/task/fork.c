// SPDX-License-Identifier: Apache-2.0
/* clone(2) and its kin: a task is made of shares and copies of its parent's parts, then started by the machine. */
#include <asm/ldt.h>
#include <linux/sched.h>

#include "cgroup.h"
#include "core.h"
#include "cred.h"
#include "exec_id.h"
#include "fs.h"
#include "internal.h"
#include "kept.h"
#include "kept_programs.h"
#include "mm.h"
#include "pid_ns.h"
#include "ring.h"
#include "sched.h"
#include "seccomp.h"
#include "syscall.h"
#include "time_ns.h"
#include "user_ns.h"

/* What clone(2) was asked for, with the numbers that its child is to have (clone3). */
struct clone_request {
	struct clone_args a;
	int set_tid[PID_NS_DEPTH + 1];
	struct cgroup *into; /* CLONE_INTO_CGROUP: counted */
};

static bool same_pid_ns(const struct task *t)
{
	return t->nsproxy->of[NS_PID] == &task_pid_ns(t)->ns;
}

static int check_ns_flags(u64 f)
{
	if (f & CLONE_FS && f & (CLONE_NEWNS | CLONE_NEWUSER))
		return -EINVAL;
	if (f & CLONE_NEWIPC && f & CLONE_SYSVSEM)
		return -EINVAL;
	/* The threads of a process see the same ones of these. */
	if (f & CLONE_THREAD && (f & (CLONE_NEWUSER | CLONE_NEWPID) || !same_pid_ns(current)))
		return -EINVAL;
	return 0;
}

static int check_flags(const struct clone_args *a)
{
	u64 f = a->flags;
	int err = check_ns_flags(f);

	if (err)
		return err;
	if (f & CLONE_THREAD && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if (f & CLONE_SIGHAND && !(f & CLONE_VM))
		return -EINVAL;
	if (f & CLONE_SIGHAND && f & CLONE_CLEAR_SIGHAND)
		return -EINVAL;
	if (f & CLONE_THREAD && a->exit_signal)
		return -EINVAL;
	if (f & CLONE_PIDFD && f & (CLONE_DETACHED | CLONE_THREAD))
		return -EINVAL;
	if (f & CLONE_PARENT && current->proc->ns_reaper)
		return -EINVAL;
	return 0;
}

/* The error in place of a pointer, which becomes NULL. */
static void *take_error(void **p)
{
	void *error = *p;

	*p = NULL;
	return error;
}

/* The parts that copying can fail for. On failure task_parts_put() undoes it. */
static int copy_parts(struct task *c, struct task *p, u64 flags)
{
	c->cred = flags & CLONE_NEWUSER ? user_ns_create(p->cred) : cred_get(p->cred);
	if (IS_ERR(c->cred))
		return (int)PTR_ERR(take_error((void **)&c->cred));
	c->files = flags & CLONE_FILES ? fdtable_get(p->files) : fdtable_copy(p->files);
	c->fs = flags & CLONE_FS ? fs_ctx_get(p->fs) : fs_ctx_copy(p->fs);
	c->sighand = flags & CLONE_SIGHAND ? sighand_get(p->sighand) : sighand_copy(p->sighand);
	c->mm = flags & CLONE_VM ? mm_get(p->mm) : mm_copy(p->mm);
	if (!c->files || !c->fs || !c->sighand || !c->mm)
		return -ENOMEM;
	if (flags & CLONE_CLEAR_SIGHAND)
		for (int i = 0; i < NSIG_MAX; i++)
			if (c->sighand->action[i].handler != 1 /* SIG_IGN */)
				c->sighand->action[i] = (struct ksigaction){ 0 };
	c->nsproxy = nsproxy_copy(flags, p->nsproxy, c->cred->user_ns, c->fs);
	if (!IS_ERR(c->nsproxy) && nsproxy_time_differs(c->nsproxy) && !(flags & CLONE_VM))
		c->nsproxy = nsproxy_enter_time(c->nsproxy);
	return IS_ERR(c->nsproxy) ? (int)PTR_ERR(take_error((void **)&c->nsproxy)) : 0;
}

void task_parts_put(struct task *c)
{
	ptrace_free(c);
	if (c->mm)
		mm_put(c->mm);
	if (c->sighand)
		sighand_put(c->sighand);
	if (c->fs)
		fs_ctx_put(c->fs);
	if (c->files)
		fdtable_put(c->files);
	nsproxy_put(c->nsproxy);
	if (c->cred)
		cred_put(c->cred);
}

struct process *process_new(struct process *parent, int exit_signal)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	ref_init(&p->ref);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->pgrp_node);
	list_init(&p->pid_node);
	list_init(&p->pending.queue);
	waitq_init(&p->child_wait);
	waitq_init(&p->pidfd_wait);
	p->exit_signal = exit_signal;
	p->coredump_filter = parent ? parent->coredump_filter : COREDUMP_FILTER;
	p->start_time = mc_clock(7 /* CLOCK_BOOTTIME */);
	if (!parent)
		return p;
	memcpy(p->rlim, parent->rlim, sizeof(p->rlim));
	p->dumpable = parent->dumpable;
	p->thp_disable = parent->thp_disable;
	p->oom_score_adj = parent->oom_score_adj;
	memcpy(p->executes, parent->executes, sizeof(p->executes));
	p->personality = parent->personality;
	p->tty = parent->tty;
	p->exec_id = exec_id_get(parent->exec_id);
	if (parent->cmdline) {
		p->cmdline = kmalloc(parent->cmdline_len + 1);
		if (p->cmdline)
			memcpy(p->cmdline, parent->cmdline, parent->cmdline_len);
		p->cmdline_len = p->cmdline ? parent->cmdline_len : 0;
	}
	return p;
}

static void task_init(struct task *c, struct task *p)
{
	ptrace_task_init(c);
	list_init(&c->thread_node);
	list_init(&c->tid_node);
	list_init(&c->pending.queue);
	memcpy(c->comm, p->comm, sizeof(c->comm));
	c->start_time = mc_clock(7 /* CLOCK_BOOTTIME */);
	c->timer_slack = p->timer_slack;
	sched_inherit(c, p);
}

/*
 * The numbers that the caller wants: who may checkpoint and restore in all these namespaces may, so that each still
 * has a first process.
 */
static int check_set_tid(const struct clone_request *r, const struct pid_ns *ns)
{
	u64 n = r->a.set_tid_size;

	if (n > (u64)ns->level + 1)
		return -EINVAL;
	for (u64 i = 0; i < n; i++, ns = ns->parent) {
		const struct user_ns *owner = ns_owner(&ns->ns);

		if (r->set_tid[i] < 1 || r->set_tid[i] >= PID_MAX)
			return -EINVAL;
		if (r->set_tid[i] != 1 && ns->level && !ns->reaper)
			return -EINVAL;
		if (!ns_capable(owner, CAP_CHECKPOINT_RESTORE) && !ns_capable(owner, CAP_SYS_ADMIN))
			return -EPERM;
	}
	return 0;
}

/* The child's number, and those that it has in the namespaces below the first one. */
static int number_task(struct task *c, const struct clone_request *r)
{
	struct pid_ns *ns = pid_ns_of(c->nsproxy->of[NS_PID]);
	u32 n = (u32)r->a.set_tid_size;
	bool all = n == (u32)ns->level + 1; /* also the one in the first namespace */
	int err = n ? check_set_tid(r, ns) : 0;

	if (err)
		return err;
	c->vtid = c->tid = all ? pid_alloc_wanted(r->set_tid[n - 1]) : pid_alloc();
	if (c->tid < 0 || !ns->level)
		return c->tid < 0 ? c->tid : 0;
	c->numbers = pid_numbers_new(ns, c->tid, r->set_tid, all ? n - 1 : n);
	if (IS_ERR(c->numbers)) {
		pid_free(c->tid);
		return (int)PTR_ERR(take_error((void **)&c->numbers));
	}
	c->vtid = c->numbers->at[ns->level - 1].nr;
	if (!(r->a.flags & CLONE_THREAD) && !ns->reaper) {
		ns->reaper = c->proc;
		c->proc->ns_reaper = true;
	}
	return 0;
}

static void unnumber_task(struct task *c)
{
	struct pid_ns *ns = task_pid_ns(c);

	if (ns->reaper == c->proc && c->proc->nthreads == 0) {
		ns->reaper = NULL;
		ns->last = 0;
	}
	pid_numbers_put(c->numbers);
	c->numbers = NULL;
	pid_free(c->tid);
}

/* Enter the tables. tasklist_lock held; after this others can find the child. */
static int link_task(struct task *c, struct task *me, const struct clone_request *r)
{
	struct process *p = c->proc, *parent = me->proc;
	u64 flags = r->a.flags;
	int err = cgroup_may_fork(parent, r->into);

	if (!err)
		err = number_task(c, r);
	if (err)
		return err;
	if (me->proc->group_exiting || fatal_signal_pending()) {
		unnumber_task(c);
		return -ERESTARTNOINTR;
	}
	seccomp_fork(c, me); /* under the lock: a TSYNC sees the new thread, or the new thread has its filter */
	list_add_tail(&c->thread_node, &p->threads);
	p->nthreads++;
	task_hash(c);
	ptrace_fork_link(c);
	if (flags & CLONE_THREAD) {
		/* A stop that began after signal_task_init() did not see the new thread. */
		if (p->flags & (PROC_STOPPING | PROC_STOPPED))
			__atomic_fetch_or(&c->mc.work, WORK_STOP, __ATOMIC_SEQ_CST);
		if (unlikely(p->cgroup))
			cgroup_freeze_task(c);
		return 0;
	}
	p->pid = c->tid;
	p->vpid = c->vtid;
	p->numbers = pid_numbers_get(c->numbers);
	p->leader = c;
	p->parent = flags & CLONE_PARENT ? parent->parent : parent;
	p->parent_tid = flags & CLONE_PARENT ? parent->parent_tid : me->tid;
	if (flags & CLONE_PARENT)
		p->exit_signal = parent->exit_signal;
	if (p->parent) {
		p->ppid = process_nr(p->parent, task_pid_ns(c));
		list_add_tail(&p->sibling, &p->parent->children);
	}
	pgrp_join(p, parent->pgrp);
	process_hash(p);
	cgroup_fork(p, parent, r->into);
	if (unlikely(p->cgroup))
		cgroup_freeze_task(c);
	return 0;
}

void task_unlink(struct task *c, u64 flags)
{
	guard(&tasklist_lock);
	ptrace_fork_unlink(c);
	list_del(&c->thread_node);
	c->proc->nthreads--;
	task_unhash(c);
	if (!(flags & CLONE_THREAD)) {
		list_del(&c->proc->sibling);
		pgrp_leave(c->proc);
		process_unhash(c->proc);
		cgroup_exit(c->proc);
		pid_numbers_put(c->proc->numbers);
		c->proc->numbers = NULL;
	}
	unnumber_task(c);
}

static struct vfork_done *vfork_new(struct task *parent)
{
	struct vfork_done *v = kzalloc(sizeof(*v));

	if (v) {
		v->ref.n = 2;
		v->parent = parent;
	}
	return v;
}

static void vfork_put(struct vfork_done *v)
{
	if (ref_put(&v->ref))
		kfree(v);
}

void task_vfork_release(struct task *t)
{
	struct vfork_done *v = t->vfork;

	if (!v)
		return;
	t->vfork = NULL;
	defer_wakes();
	guard(&tasklist_lock); /* the parent cannot be freed meanwhile */
	if (!__atomic_exchange_n(&v->done, 1, __ATOMIC_SEQ_CST) && v->parent)
		wake_task(v->parent);
	vfork_put(v);
}

/* Only a fatal signal ends the wait early (vfork(2)): look now and then. */
static void vfork_wait(struct vfork_done *v)
{
	current->waits_vfork = true;
	while (!__atomic_load_n(&v->done, __ATOMIC_SEQ_CST)) {
		mc_park_killable(mc_clock(1) + 100 * NSEC_PER_MSEC);
		if (fatal_signal_pending())
			break;
	}
	current->waits_vfork = false;
	mutex_lock(&tasklist_lock);
	v->parent = NULL;
	mutex_unlock(&tasklist_lock);
	vfork_put(v);
}

static enum mc_start how_of(u64 flags)
{
	if (flags & CLONE_THREAD)
		return MC_THREAD;
	return flags & CLONE_VM ? MC_VFORK : MC_FORK;
}

/* User words that clone(2) writes. The child's own are written by itself, in its space (kernel_task_start). */
static void child_words(struct task *c, const struct clone_args *a)
{
	int nr = task_nr(c, task_pid_ns(current));

	if (a->flags & CLONE_PARENT_SETTID)
		mc_copy_to_user(a->parent_tid, &nr, sizeof(int));
	if (a->flags & CLONE_CHILD_SETTID)
		c->set_child_tid = a->child_tid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		c->clear_child_tid = a->child_tid;
}

static void child_regs(struct pt_regs *r, const struct clone_args *a)
{
	*r = *current_regs();
	r->rax = 0;
	if (a->stack)
		r->rsp = a->stack + a->stack_size;
}

static struct task *prepare(const struct clone_args *a, int event)
{
	struct task *me = current, *c = mc_task_alloc(sizeof(struct task));
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	task_init(c, me);
	err = copy_parts(c, me, a->flags);
	if (!err)
		err = ptrace_fork_prepare(c, a->flags, event);
	if (err)
		goto fail;
	c->proc = me->proc;
	err = -ENOMEM;
	if (!(a->flags & CLONE_THREAD))
		c->proc = process_new(me->proc, (int)a->exit_signal);
	if (!c->proc)
		goto fail;
	signal_task_init(c, me);
	if (a->flags & CLONE_VFORK)
		c->vfork = vfork_new(me);
	c->copied_mm = !(a->flags & CLONE_VM);
	c->tls = a->flags & CLONE_SETTLS ? a->tls : mc_get_fsbase();
	return c;
fail:
	task_parts_put(c);
	mc_task_free(c);
	return ERR_PTR(err);
}

static void abandon(struct task *c, u64 flags)
{
	seccomp_put(c->seccomp);
	if (c->vfork)
		kfree(c->vfork);
	if (!(flags & CLONE_THREAD)) {
		timers_process_exit(c->proc);
		process_put(c->proc);
	}
	task_parts_put(c);
	mc_task_free(c);
}

/* CLONE_PIDFD. 0 or -errno; *fd is -1 where none is wanted. */
static int give_pidfd(struct task *c, const struct clone_args *a, int *fd)
{
	*fd = -1;
	if (!(a->flags & CLONE_PIDFD))
		return 0;
	ref_get(&c->proc->ref);
	*fd = pidfd_new(c->proc, 0);
	if (*fd < 0)
		return *fd;
	return mc_copy_to_user(a->pidfd, fd, sizeof(int));
}

static long start(struct task *c, const struct clone_request *request)
{
	const struct clone_args *a = &request->a;
	struct pt_regs regs;
	int r, tid, pidfd;

	mutex_lock(&tasklist_lock);
	r = link_task(c, current, request);
	mutex_unlock(&tasklist_lock);
	if (r)
		return r;
	child_words(c, a);
	child_regs(&regs, a);
	tid = task_nr(c, task_pid_ns(current));
	if (!(a->flags & CLONE_THREAD))
		timers_cpu_limit(c->proc);
	if (!(a->flags & CLONE_THREAD)) {
		kept_drop(); /* the child's host process would keep copies for as long as it lives */
		programs_bring();
	}
	r = give_pidfd(c, a, &pidfd);
	if (!r)
		r = mc_thread_start(c, how_of(a->flags), &regs);
	if (r) {
		if (pidfd >= 0)
			fd_close(pidfd);
		task_unlink(c, a->flags);
		return r == -ENOMEM ? r : -EAGAIN;
	}
	return tid;
}

bool task_over_nproc(u32 uid)
{
	guard(&tasklist_lock);
	return limit_check(current->proc, RLIMIT_NPROC, user_task_count(uid));
}

/* RLIMIT_NPROC is about the real user's tasks, and not for root. */
static bool too_many_tasks(void)
{
	u32 uid = current->cred->uid;

	/* All there are, and zombies, are few enough most of the time. */
	if (!limit_check(current->proc, RLIMIT_NPROC, task_count() + process_count() + 1) || !uid)
		return false;
	if (capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return false;
	guard(&tasklist_lock);
	return limit_check(current->proc, RLIMIT_NPROC, user_task_count(uid) + 1);
}

static long do_clone(const struct clone_request *request)
{
	const struct clone_args *a = &request->a;
	int event = ptrace_clone_event(a->flags, (int)a->exit_signal);
	struct vfork_done *v;
	struct task *c;
	long r = check_flags(a);

	if (r)
		return r;
	if (too_many_tasks())
		return -EAGAIN;
	c = prepare(a, event);
	if (IS_ERR(c))
		return PTR_ERR(c);
	v = c->vfork;
	r = start(c, request);
	if (r < 0) {
		abandon(c, a->flags);
		return r;
	}
	if (unlikely(event))
		ptrace_event_pid(event, (int)r);
	if (v) {
		vfork_wait(v);
		ptrace_event_pid(PTRACE_EVENT_VFORK_DONE, (int)r);
	}
	return r;
}

/* Upcall: the first thing a new thread does, in its own space. */
void kernel_task_start(struct task *t)
{
	mc_set_fsbase(t->tls);
	ptrace_task_start(t);
	if (t->copied_mm)
		mm_fork_child(t->mm);
	if (t->copied_mm && unlikely(time_shifted(t->nsproxy)) && mc_clock_calls())
		do_group_exit(SIGKILL);
	if (t->set_child_tid)
		mc_copy_to_user(t->set_child_tid, &t->vtid, sizeof(int));
}

long sys_fork(void)
{
	struct clone_request r = { .a.exit_signal = SIGCHLD };

	return do_clone(&r);
}

long sys_vfork(void)
{
	struct clone_request r = { .a = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD } };

	return do_clone(&r);
}

long sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls)
{
	struct clone_request r = { .a = {
		.flags = flags & 0xffffffff & ~(u64)CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = parent_tid,
		.pidfd = parent_tid, /* clone(2): the same argument */
		.child_tid = child_tid,
		.tls = tls,
	} };

	if (r.a.flags & CLONE_THREAD)
		r.a.exit_signal = 0;
	return do_clone(&r);
}

static int take_set_tid(struct clone_request *r)
{
	u64 n = r->a.set_tid_size;

	if (n > PID_NS_DEPTH || (!r->a.set_tid) != (!n))
		return -EINVAL;
	return mc_copy_from_user(r->set_tid, r->a.set_tid, n * sizeof(int)) ? -EFAULT : 0;
}

static long clone_into(struct clone_request *r)
{
	long ret;

	if (r->a.cgroup > 0x7fffffff)
		return -EINVAL;
	if (r->a.flags & CLONE_THREAD)
		return -EOPNOTSUPP;
	r->into = cgroup_clone_target((int)r->a.cgroup);
	if (IS_ERR(r->into))
		return PTR_ERR(r->into);
	ret = do_clone(r);
	cgroup_put(r->into);
	cgroup_tell();
	return ret;
}

long sys_clone3(u64 uargs, u64 size)
{
	struct clone_request r = { 0 };
	struct clone_args *a = &r.a;
	u8 more[CLONE_ARGS_SIZE_VER2];
	int err;
	u64 i;

	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (mc_copy_from_user(a, uargs, min(size, (u64)sizeof(*a))))
		return -EFAULT;
	for (i = sizeof(*a); i < size; i++)
		if (mc_copy_from_user(more, uargs + i, 1) || more[0])
			return -E2BIG;
	if (a->exit_signal & ~(u64)CSIGNAL || a->exit_signal > NSIG_MAX)
		return -EINVAL;
	err = take_set_tid(&r);
	if (err)
		return err;
	if (!a->stack != !a->stack_size)
		return -EINVAL;
	if (a->flags & (CSIGNAL | CLONE_DETACHED) & ~(u64)CLONE_NEWTIME)
		return -EINVAL;
	return a->flags & CLONE_INTO_CGROUP ? clone_into(&r) : do_clone(&r);
}
