// SPDX-License-Identifier: Apache-2.0
/* What stat and status show, taken in one go under the locks and written out without them. */
#include "proc.h"

#include "fs.h"
#include "sched.h"
#include "seccomp.h"

/* For a kernel without terminals; theirs takes its place. */
void __attribute__((weak)) tty_numbers(struct tty *tty, int *dev, int *pgrp) {}

static char state_of(const struct process *p, const struct task *t)
{
	if (!t || p->state == TASK_ZOMBIE || t->state == TASK_ZOMBIE)
		return 'Z';
	if (t->state == TASK_DEAD)
		return 'X';
	if (t->state == TASK_TRACED && !t->ptrace.listening)
		return 't';
	if (t->state == TASK_STOPPED || (p->flags & PROC_STOPPED))
		return 'T';
	return t == current ? 'R' : 'S';
}

static u32 queue_length(const struct sigpending *s)
{
	struct sigqueue *q;
	u32 n = 0;

	list_for_each(q, &s->queue, node)
		n++;
	return n;
}

static void take_signals(struct snap *s, struct process *p, struct task *t)
{
	struct sighand *h = t->sighand;

	if (!h)
		return;
	guard(&h->lock);
	s->pending = t->pending.set;
	s->shared = p->pending.set;
	s->blocked = t->blocked;
	s->nqueued = queue_length(&t->pending) + queue_length(&p->pending);
	for (int sig = 1; sig <= NSIG_MAX; sig++) {
		uaddr_t handler = h->action[sig - 1].handler;

		if (handler == (uaddr_t)SIG_IGN)
			s->ignored |= SIGBIT(sig);
		else if (handler != (uaddr_t)SIG_DFL)
			s->caught |= SIGBIT(sig);
	}
}

/* The clock of a host process has its dead threads in it; of a dead process there is the sum. */
static void take_times(struct snap *s, struct process *p, struct task *t, bool whole)
{
	if (t) {
		mc_cpu_time(t, whole, &s->utime, &s->stime);
	} else {
		s->utime = p->utime;
		s->stime = p->stime;
	}
	if (!whole)
		return;
	s->cutime = p->cutime;
	s->cstime = p->cstime;
}

static void take_process(struct snap *s, struct process *p)
{
	s->pid = process_nr(p, s->pids);
	s->ppid = p->parent ? process_nr(p->parent, s->pids) : 0;
	s->pgrp = p->pgrp ? pgrp_nr(p->pgrp, s->pids) : 0;
	s->sid = p->session ? session_nr(p->session, s->pids) : 0;
	s->tpgid = -1;
	if (p->tty)
		tty_numbers(p->tty, &s->tty_nr, &s->tpgid);
	s->nthreads = p->nthreads;
	s->exit_signal = p->exit_signal;
	s->exit_code = p->exit_code;
	s->start = p->start_time;
	s->rss_limit = p->rlim[RLIMIT_RSS].rlim_cur;
	s->sig_limit = p->rlim[RLIMIT_SIGPENDING].rlim_cur;
	s->thp_disabled = p->thp_disable;
	/* A zombie's; a task that is there overwrites it. */
	memcpy(s->comm, p->zombie_comm, sizeof(s->comm));
	s->zombie_uid = p->zombie_uid;
	s->zombie_gid = p->zombie_gid;
}

static void take_task(struct snap *s, struct process *p, struct task *t, bool whole)
{
	s->tid = whole ? s->pid : task_nr(t, s->pids);
	s->tracer = ptrace_tracer_pid(t, s->pids);
	memcpy(s->comm, t->comm, sizeof(s->comm));
	s->sched = t->sched;
	task_cpu_mask(t, s->cpus);
	s->switches = t->futex_waits;
	seccomp_show(t, &s->seccomp_mode, &s->seccomp_filters);
	if (!whole)
		s->start = t->start_time;
	s->cred = t->cred ? cred_get(t->cred) : NULL;
	s->mm = t->mm ? mm_get(t->mm) : NULL;
	s->umask = t->fs ? t->fs->umask : 0;
	s->fdsize = 64;
	take_signals(s, p, t);
}

static int take(const struct pseudo_ctx *c, struct snap *s)
{
	struct process *p;
	struct task *t;

	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ESRCH;
	s->pids = proc_pids(c);
	s->state = state_of(p, t);
	take_process(s, p);
	s->tid = s->pid;
	take_times(s, p, t, !c->tid);
	if (t)
		take_task(s, p, t, !c->tid);
	return 0;
}

/* The host schedules: who runs, and what is resident, is its knowledge. */
int snap_take(const struct pseudo_ctx *c, struct snap *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	err = take(c, s);
	s->tpgid = s->tpgid > 0 ? pid_shown_in(s->tpgid, proc_pids(c)) : s->tpgid;
	if (err || s->state == 'Z')
		return err;
	if (host_proc_stat(c, &s->host) && s->state == 'S' && (s->host.state == 'R' || s->host.state == 'D'))
		s->state = (char)s->host.state;
	return 0;
}

void snap_drop(struct snap *s)
{
	cred_put(s->cred);
	if (s->mm)
		mm_put(s->mm);
}

static int add_times(struct process *p, void *arg)
{
	u64 *sum = arg, user = p->utime, sys = p->stime;

	if (p->leader)
		mc_cpu_time(p->leader, true, &user, &sys);
	sum[0] += user + p->cutime;
	sum[1] += sys + p->cstime;
	return 0;
}

/* What nobody waited for is in no sum: the totals must not go backwards for that. */
void cpu_times(u64 *user, u64 *sys)
{
	static u64 most[2];
	u64 sum[2] = { 0, 0 };

	guard(&tasklist_lock);
	for_each_process(add_times, sum);
	*user = most[0] = max(most[0], sum[0]);
	*sys = most[1] = max(most[1], sum[1]);
}
