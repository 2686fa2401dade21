// SPDX-License-Identifier: Apache-2.0
/* The timers of a process as a whole, and setitimer, getitimer, alarm. */
#include "syscall.h"

#include "timers.h"

/* ---- struct process_timers ---- */

static struct process_timers *timers_new(struct process *p)
{
	struct process_timers *pt = kzalloc(sizeof(*pt));

	if (!pt)
		return NULL;
	pt->proc = p;
	list_init(&pt->cpu);
	cpu_limit_init(pt);
	itimer_init(pt);
	if (ktimer_init(&pt->real, itimer_real_expired) ||
	    ktimer_init(&pt->cpu_check, cpu_timers_check)) {
		kfree(pt);
		return NULL;
	}
	return pt;
}

struct process_timers *timers_of(struct process *p)
{
	struct process_timers *pt = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE), *none = NULL;

	if (pt)
		return pt;
	pt = timers_new(p);
	if (!pt)
		return ERR_PTR(-ENOMEM);
	if (__atomic_compare_exchange_n(&p->timers, &none, pt, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return pt;
	kfree(pt); /* another thread was faster */
	return none;
}

struct process_timers *timers_get(void)
{
	return timers_of(current->proc);
}

/*
 * By the last thread. Timer functions take tasklist_lock: it may not be held. The structure itself
 * goes with the process: a prlimit from elsewhere may be looking at it.
 */
void timers_process_exit(struct process *p)
{
	struct process_timers *pt = p->timers;

	if (!pt)
		return;
	posix_timers_free(pt);
	ktimer_cancel(&pt->real);
	mutex_lock(&pt->lock);
	while (!list_empty(&pt->cpu))
		cpu_timer_stop(list_first(&pt->cpu, struct cpu_timer, node));
	mutex_unlock(&pt->lock);
	ktimer_cancel(&pt->cpu_check);
}

/* Interval timers and the CPU limit stay, as in Linux. */
void timers_exec(struct process *p)
{
	if (p->timers)
		posix_timers_free(p->timers);
}

/* ---- interval timers ---- */

void itimer_real_expired(struct ktimer *k)
{
	struct process_timers *pt = container_of(k, struct process_timers, real);
	struct interval_timer *it = &pt->it[ITIMER_REAL];
	u64 now = monotonic_now();

	guard(&pt->lock); /* over the signal, too: none may come after the timer was switched off */
	if (!it->expires || it->expires > now) /* set anew meanwhile */
		return;
	timer_forward(&it->expires, it->interval, now);
	if (it->expires)
		ktimer_start(k, max(it->expires, now + MIN_PERIOD));
	send_signal_process(pt->proc, SIGALRM, NULL);
}

static void cpu_expired(struct process_timers *pt, struct cpu_timer *c, u64 now)
{
	struct interval_timer *it = container_of(c, struct interval_timer, cpu);

	timer_forward(&c->expires, it->interval, now);
	send_signal_process(pt->proc, it->sig, NULL);
}

void itimer_init(struct process_timers *pt)
{
	static const int signals[] = { SIGALRM, SIGVTALRM, SIGPROF };

	for (int i = 0; i < 3; i++) {
		struct interval_timer *it = &pt->it[i];

		it->sig = signals[i];
		it->cpu.fire = cpu_expired;
		it->cpu.user_only = i == ITIMER_VIRTUAL;
		list_init(&it->cpu.node);
	}
}

static u64 remaining(u64 expires, u64 now)
{
	if (!expires)
		return 0;
	return expires > now ? expires - now : 1000; /* due: not 0, which would say off */
}

static void get_timer(struct process_timers *pt, int which, u64 *value, u64 *interval)
{
	struct interval_timer *it = &pt->it[which];

	*interval = it->interval;
	if (which == ITIMER_REAL)
		*value = remaining(it->expires, monotonic_now());
	else
		*value = remaining(it->cpu.expires, cpu_timer_now(pt, &it->cpu));
}

static void set_timer(struct process_timers *pt, int which, u64 value, u64 interval)
{
	struct interval_timer *it = &pt->it[which];

	it->interval = interval;
	if (which == ITIMER_REAL) {
		it->expires = value ? deadline_of(CLOCK_MONOTONIC, value, false) : 0;
		if (value)
			ktimer_start(&pt->real, it->expires);
		else
			ktimer_stop(&pt->real);
	} else if (value) {
		cpu_timer_start(pt, &it->cpu, time_add(cpu_timer_now(pt, &it->cpu), value));
	} else {
		cpu_timer_stop(&it->cpu);
	}
}

static int swap_timer(int which, u64 value, u64 interval, u64 *old, u64 *old_interval)
{
	struct process_timers *pt;

	*old = *old_interval = 0;
	if (!value && !current->proc->timers)
		return 0;
	pt = timers_get();
	if (IS_ERR(pt))
		return (int)PTR_ERR(pt);
	guard(&pt->lock);
	get_timer(pt, which, old, old_interval);
	set_timer(pt, which, value, interval);
	return 0;
}

static int timeval_ns(const struct timeval *tv, u64 *ns)
{
	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = (u64)tv->tv_sec >= TIME_MAX / NSEC_PER_SEC ?
		      TIME_MAX :
		      (u64)tv->tv_sec * NSEC_PER_SEC + (u64)tv->tv_usec * 1000;
	return 0;
}

static struct timeval ns_timeval(u64 ns)
{
	return (struct timeval){ .tv_sec = (long)(ns / NSEC_PER_SEC),
				 .tv_usec = (long)(ns % NSEC_PER_SEC / 1000) };
}

static int put_itimerval(uaddr_t to, u64 value, u64 interval)
{
	struct itimerval itv = { .it_interval = ns_timeval(interval),
				 .it_value = ns_timeval(value) };

	return mc_copy_to_user(to, &itv, sizeof(itv)) ? -EFAULT : 0;
}

long sys_getitimer(u64 which, u64 to)
{
	struct process_timers *pt = current->proc->timers;
	u64 value = 0, interval = 0;

	if ((u32)which > ITIMER_PROF)
		return -EINVAL;
	if (pt) {
		guard(&pt->lock);
		get_timer(pt, (int)which, &value, &interval);
	}
	return put_itimerval(to, value, interval);
}

long sys_setitimer(u64 which, u64 from, u64 old_to)
{
	u64 value = 0, interval = 0, old, old_interval;
	struct itimerval itv;
	int err;

	if (from) { /* NULL means off, as Linux still has it */
		if (mc_copy_from_user(&itv, from, sizeof(itv)))
			return -EFAULT;
		if (timeval_ns(&itv.it_value, &value) || timeval_ns(&itv.it_interval, &interval))
			return -EINVAL;
	}
	if ((u32)which > ITIMER_PROF)
		return -EINVAL;
	err = swap_timer((int)which, value, interval, &old, &old_interval);
	if (err)
		return err;
	return old_to ? put_itimerval(old_to, old, old_interval) : 0;
}

long sys_alarm(u64 seconds)
{
	u64 old, old_interval;
	long left;

	swap_timer(ITIMER_REAL, (u64)(u32)seconds * NSEC_PER_SEC, 0, &old, &old_interval);
	left = (long)((old + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
	return old && !left ? 1 : left;
}
