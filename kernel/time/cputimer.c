// SPDX-License-Identifier: Apache-2.0
/* Timers on CPU time, by polling (struct cpu_timer), and RLIMIT_CPU, which is one of them. */
#include "timers.h"

#define POLL_MIN NSEC_PER_MSEC

/* 0 for a thread that is gone: its timers never fire. */
static u64 clock_locked(struct process *p, struct cpu_timer *c)
{
	struct task *t;

	if (!c->tid)
		return process_time_locked(p, c->user_only);
	t = find_task(c->tid);
	return t && t->proc == p ? thread_time(t, c->user_only) : 0;
}

u64 cpu_timer_now(struct process_timers *pt, struct cpu_timer *c)
{
	guard(&tasklist_lock);
	return clock_locked(pt->proc, c);
}

/* Wall time until c can have expired at the earliest. */
static u64 earliest(struct process_timers *pt, struct cpu_timer *c, u64 now)
{
	u64 threads = c->tid ? 1 : (u64)max(pt->proc->nthreads, 1);

	return c->expires > now ? (c->expires - now) / threads : 0;
}

static void check_at(struct process_timers *pt, u64 wait)
{
	u64 at = time_add(monotonic_now(), max(wait, (u64)POLL_MIN));

	if (!pt->cpu_check.queued || at < pt->cpu_check.deadline)
		ktimer_start(&pt->cpu_check, at);
}

void cpu_timer_start(struct process_timers *pt, struct cpu_timer *c, u64 expires)
{
	c->expires = expires;
	if (list_empty(&c->node))
		list_add_tail(&c->node, &pt->cpu);
	check_at(pt, earliest(pt, c, cpu_timer_now(pt, c)));
}

void cpu_timer_stop(struct cpu_timer *c)
{
	c->expires = 0;
	list_del(&c->node);
}

void cpu_timers_check(struct ktimer *k)
{
	struct process_timers *pt = container_of(k, struct process_timers, cpu_check);
	struct cpu_timer *c, *tmp;
	u64 wait = MC_FOREVER;

	guard(&pt->lock);
	list_for_each_safe(c, tmp, &pt->cpu, node) {
		u64 now = cpu_timer_now(pt, c);

		if (c->expires <= now)
			c->fire(pt, c, now);
		if (!c->expires)
			list_del(&c->node);
		else
			wait = min(wait, earliest(pt, c, now));
	}
	if (!list_empty(&pt->cpu))
		check_at(pt, wait);
}

/* ---- RLIMIT_CPU ---- */

/* At the soft limit SIGXCPU, again each second; at the hard one SIGKILL. */
static void limit_reached(struct process_timers *pt, struct cpu_timer *c, u64 now)
{
	struct rlimit *l = &pt->proc->rlim[RLIMIT_CPU];

	if (now / NSEC_PER_SEC >= l->rlim_max) {
		send_signal_process(pt->proc, SIGKILL, NULL);
		c->expires = 0;
		return;
	}
	send_signal_process(pt->proc, SIGXCPU, NULL);
	c->expires = now + NSEC_PER_SEC;
}

void cpu_limit_init(struct process_timers *pt)
{
	list_init(&pt->limit.node);
	pt->limit.fire = limit_reached;
}

void timers_cpu_limit(struct process *p)
{
	u64 limit = READ_ONCE(p->rlim[RLIMIT_CPU].rlim_cur);
	struct process_timers *pt = READ_ONCE(p->timers);

	if (limit == (u64)RLIM_INFINITY && !pt)
		return;
	pt = timers_of(p);
	if (IS_ERR(pt))
		return;
	guard(&pt->lock);
	if (p->group_exiting) /* timers_process_exit() may have been and gone */
		return;
	if (limit > TIME_MAX / NSEC_PER_SEC)
		cpu_timer_stop(&pt->limit);
	else
		cpu_timer_start(pt, &pt->limit, max(limit, (u64)1) * NSEC_PER_SEC);
}
