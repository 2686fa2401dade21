// SPDX-License-Identifier: Apache-2.0
/* Tasks that are nobody's child: threads of the kernel, the first process, and those that the hypervisor adds. */
#include <linux/sched.h>

#include "cgroup.h"
#include "cred.h"
#include "fs.h"
#include "internal.h"
#include "mm.h"
#include "pid_ns.h"
#include "ring.h"

static void lists_init(struct task *t)
{
	ptrace_task_init(t);
	list_init(&t->thread_node);
	list_init(&t->tid_node);
	list_init(&t->pending.queue);
}

static struct task *kthread_alloc(void (*fn)(void *), void *arg)
{
	struct task *t = mc_task_alloc(sizeof(struct task));

	if (!t)
		return NULL;
	lists_init(t);
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	return t;
}

struct task *kthread_create(void (*fn)(void *arg), void *arg)
{
	struct task *t = kthread_alloc(fn, arg);

	if (t && mc_thread_start(t, MC_KERNEL, NULL)) {
		mc_task_free(t);
		return NULL;
	}
	return t;
}

void kernel_thread_main(struct task *t)
{
	t->kthread_fn(t->kthread_arg);
	mc_thread_exit(false);
}

/* ---- processes without a parent: the first one, and those that the hypervisor adds ---- */

/* Enters the tables, as the leader of a session. tasklist_lock held. */
static int link_leader(struct task *t)
{
	struct process *p = t->proc;
	struct session *s;
	struct pgrp *g;
	int pid = pid_alloc();

	if (pid < 0)
		return pid;
	t->tid = t->vtid = p->pid = p->vpid = pid;
	s = session_new(pid, p);
	g = s ? pgrp_new(p, s) : NULL;
	if (s)
		session_put(s);
	if (!g) {
		pid_free(pid);
		return -ENOMEM;
	}
	p->leader = t;
	p->dumpable = true;
	list_add_tail(&t->thread_node, &p->threads);
	p->nthreads = 1;
	task_hash(t);
	process_hash(p);
	pgrp_join(p, g);
	pgrp_put(g);
	cgroup_fork(p, NULL, NULL);
	return 0;
}

struct task *task_first(void)
{
	struct task *t = current;

	lists_init(t);
	t->proc = process_new(NULL, SIGCHLD);
	BUG_ON(!t->proc);
	guard(&tasklist_lock);
	BUG_ON(link_leader(t));
	init_process = t->proc;
	t->proc->ns_reaper = true;
	t->nsproxy = nsproxy_get(&init_nsproxy);
	return t;
}

static struct task *prepare_added(struct program *prog)
{
	struct task *t = mc_task_alloc(sizeof(struct task));

	if (!t)
		return NULL;
	lists_init(t);
	strlcpy(t->comm, "callgate-exec", sizeof(t->comm));
	t->start_time = mc_clock(7 /* CLOCK_BOOTTIME */);
	t->timer_slack = 50000;
	t->cred = cred_root();
	t->nsproxy = nsproxy_get(&init_nsproxy);
	t->sighand = kzalloc(sizeof(*t->sighand));
	t->mm = mm_new();
	t->files = fdtable_new();
	t->fs = fs_ctx_root(prog->want->umask);
	t->proc = process_new(NULL, 0);
	if (t->sighand)
		ref_init(&t->sighand->ref);
	if (t->cred && t->sighand && t->mm && t->files && t->fs && t->proc)
		return t;
	process_put(t->proc);
	task_parts_put(t);
	mc_task_free(t);
	return NULL;
}

int task_add_process(struct program *prog)
{
	struct task *t = prepare_added(prog);
	int r;

	if (!t)
		return -ENOMEM;
	signal_task_init(t, NULL);
	rlimits_boot(t->proc, prog->want, prog->base);
	t->proc->oom_score_adj = (int)prog->want->oom_score_adj;
	t->proc->program = prog;
	mutex_lock(&tasklist_lock);
	r = link_leader(t);
	mutex_unlock(&tasklist_lock);
	if (!r) {
		r = mc_thread_start(t, MC_NEW, NULL);
		if (!r)
			return 0;
		task_unlink(t, 0);
	}
	process_put(t->proc);
	task_parts_put(t);
	mc_task_free(t);
	return r;
}
