// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX timers. A timer owns one queue entry; while that is pending, further expiries only count as
 * overruns. A timer has two references at most: the process's table and the queue its entry is on.
 */
#include "syscall.h"

#include "cred.h"
#include "pid_ns.h"
#include "timers.h"

struct posix_timer {
	refcount_t ref;
	int id, clock;
	int notify, target; /* SIGEV_*, tid for SIGEV_THREAD_ID */
	struct process_timers *pt;
	struct ktimer wall;
	struct cpu_timer cpu;
	u64 expires, interval; /* CLOCK_MONOTONIC, or the CPU clock; 0: off */
	u32 overrun, overrun_last;
	struct sigqueue q;
};

#define MAX_TIMERS 65536

static bool on_cpu_clock(const struct posix_timer *t)
{
	return !clock_is_wall(t->clock);
}

void posix_timer_put(struct posix_timer *t)
{
	if (ref_put(&t->ref))
		kfree(t);
}

void posix_timer_get(struct posix_timer *t)
{
	ref_get(&t->ref);
}

void posix_timer_taken(struct posix_timer *t, siginfo_t *info)
{
	u32 n = __atomic_exchange_n(&t->overrun, 0, __ATOMIC_RELAXED);

	t->overrun_last = min(n, 0x7fffffffu);
	info->si_overrun = (int)t->overrun_last;
}

/* n expiries, of which one may become the signal. process_timers.lock held. */
static void notify(struct posix_timer *t, u64 n)
{
	u32 more = (u32)min(n - 1, 0x7fffffffULL);

	if (t->notify == SIGEV_NONE)
		return;
	__atomic_fetch_add(&t->overrun, more, __ATOMIC_RELAXED);
	if (send_sigqueue(t->pt->proc, t->notify & SIGEV_THREAD_ID ? t->target : 0, &t->q))
		__atomic_fetch_add(&t->overrun, 1, __ATOMIC_RELAXED);
}

static void wall_expired(struct ktimer *k)
{
	struct posix_timer *t = container_of(k, struct posix_timer, wall);
	u64 now = monotonic_now(), n;

	guard(&t->pt->lock);
	if (!t->expires || t->expires > now)
		return;
	n = timer_forward(&t->expires, t->interval, now);
	if (t->expires)
		ktimer_start(k, max(t->expires, now + MIN_PERIOD));
	notify(t, n);
}

static void cpu_expired(struct process_timers *pt, struct cpu_timer *c, u64 now)
{
	struct posix_timer *t = container_of(c, struct posix_timer, cpu);
	u64 n = timer_forward(&c->expires, t->interval, now);

	t->expires = c->expires;
	notify(t, n);
}

/* ---- the table; process_timers.lock held ---- */

static int table_add(struct process_timers *pt, struct posix_timer *t)
{
	struct posix_timer **table;
	int i, room;

	for (i = 0; i < pt->nposix; i++)
		if (!pt->posix[i])
			break;
	if (i == pt->nposix) {
		room = i ? i * 2 : 4;
		if (room > MAX_TIMERS)
			return -EAGAIN;
		table = krealloc(pt->posix, (size_t)room * sizeof(*table));
		if (!table)
			return -EAGAIN;
		memset(table + i, 0, (size_t)(room - i) * sizeof(*table));
		pt->posix = table;
		pt->nposix = room;
	}
	pt->posix[i] = t;
	t->id = i;
	return 0;
}

static struct posix_timer *table_find(struct process_timers *pt, int id)
{
	return id >= 0 && id < pt->nposix ? pt->posix[id] : NULL;
}

/* The timer, with its process_timers locked; or NULL, nothing locked. */
static struct posix_timer *timer_lock(int id)
{
	struct process_timers *pt = current->proc->timers;
	struct posix_timer *t;

	if (!pt)
		return NULL;
	mutex_lock(&pt->lock);
	t = table_find(pt, id);
	if (!t)
		mutex_unlock(&pt->lock);
	return t;
}

static void timer_unlock(struct posix_timer *t)
{
	mutex_unlock(&t->pt->lock);
}

/* ---- create, delete ---- */

static int check_clock(int clock)
{
	u64 ns;

	if (clock_is_wall(clock)) {
		bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

		return alarm && !capable(CAP_WAKE_ALARM) ? -EPERM : 0;
	}
	if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
	    clock == CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	return cpu_clock_read(clock, &ns);
}

static bool thread_of_mine(int tid)
{
	struct task *t;

	guard(&tasklist_lock);
	t = find_vtask(tid);
	return t && t->proc == current->proc;
}

static int check_event(const struct sigevent *ev)
{
	if (ev->sigev_notify == SIGEV_NONE)
		return 0;
	if (ev->sigev_notify & ~(SIGEV_SIGNAL | SIGEV_THREAD | SIGEV_THREAD_ID))
		return -EINVAL;
	if (ev->sigev_signo < 1 || ev->sigev_signo > NSIG_MAX)
		return -EINVAL;
	if (ev->sigev_notify & SIGEV_THREAD_ID && !thread_of_mine(ev->sigev_notify_thread_id))
		return -EINVAL;
	return 0;
}

static void watch_cpu_clock(struct posix_timer *t)
{
	struct cpu_clock c;

	list_init(&t->cpu.node);
	t->cpu.fire = cpu_expired;
	if (!on_cpu_clock(t) || cpu_clock_parse(t->clock, &c))
		return;
	t->cpu.user_only = c.user_only;
	if (c.thread)
		t->cpu.tid = c.pid ? pid_unshown(c.pid) : current->tid;
}

static struct posix_timer *timer_new(struct process_timers *pt, int clock,
				     const struct sigevent *ev)
{
	struct posix_timer *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->pt = pt;
	t->clock = clock;
	t->notify = ev->sigev_notify;
	t->target = ev->sigev_notify & SIGEV_THREAD_ID ? pid_unshown(ev->sigev_notify_thread_id) : 0;
	watch_cpu_clock(t);
	list_init(&t->q.node);
	t->q.timer = t;
	t->q.info.si_signo = ev->sigev_signo;
	t->q.info.si_code = SI_TIMER;
	t->q.info.si_value = ev->sigev_value;
	if (ktimer_init(&t->wall, wall_expired)) {
		kfree(t);
		return NULL;
	}
	return t;
}

static void timer_delete(struct posix_timer *t)
{
	struct process_timers *pt = t->pt;

	mutex_lock(&pt->lock);
	t->expires = 0;
	cpu_timer_stop(&t->cpu);
	mutex_unlock(&pt->lock);
	ktimer_cancel(&t->wall);
	posix_timer_put(t);
}

void posix_timers_free(struct process_timers *pt)
{
	struct posix_timer *t;

	for (int i = 0; i < pt->nposix; i++) {
		mutex_lock(&pt->lock);
		t = pt->posix[i];
		pt->posix[i] = NULL;
		mutex_unlock(&pt->lock);
		if (t)
			timer_delete(t);
	}
	kfree(pt->posix);
	pt->posix = NULL;
	pt->nposix = 0;
}

long sys_timer_create(u64 clock_arg, u64 event, u64 id_to)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct process_timers *pt;
	struct posix_timer *t;
	int err, id;

	if (event && mc_copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	err = check_clock((int)clock_arg);
	if (!err)
		err = check_event(&ev);
	if (err)
		return err;
	pt = timers_get();
	if (IS_ERR(pt))
		return -EAGAIN;
	t = timer_new(pt, (int)clock_arg, &ev);
	if (!t)
		return -EAGAIN;
	mutex_lock(&pt->lock);
	err = table_add(pt, t);
	id = t->id;
	t->q.info.si_tid = id;
	if (!event)
		t->q.info.si_int = id;
	mutex_unlock(&pt->lock);
	if (err) {
		posix_timer_put(t);
		return err;
	}
	if (!mc_copy_to_user(id_to, &id, sizeof(id)))
		return 0;
	sys_timer_delete((u64)id);
	return -EFAULT;
}

long sys_timer_delete(u64 id)
{
	struct posix_timer *t = timer_lock((int)id);

	if (!t)
		return -EINVAL;
	t->pt->posix[t->id] = NULL;
	timer_unlock(t);
	timer_delete(t);
	return 0;
}

/* ---- set, get ---- */

static u64 timer_clock(struct posix_timer *t)
{
	return on_cpu_clock(t) ? cpu_timer_now(t->pt, &t->cpu) : monotonic_now();
}

static void read_timer(struct posix_timer *t, u64 *value, u64 *interval)
{
	u64 now = timer_clock(t);

	*interval = t->interval;
	*value = 0;
	if (!t->expires)
		return;
	/* One that notifies nobody is not driven by the timer thread: bring it up to date. */
	if (t->notify == SIGEV_NONE && t->expires <= now)
		timer_forward(&t->expires, t->interval, now);
	if (t->expires)
		*value = t->expires > now ? t->expires - now : 1;
}

static void arm(struct posix_timer *t, u64 value, bool absolute)
{
	if (on_cpu_clock(t)) {
		t->expires = absolute ? value : time_add(timer_clock(t), value);
		if (t->notify != SIGEV_NONE)
			cpu_timer_start(t->pt, &t->cpu, t->expires);
		return;
	}
	t->expires = max(deadline_of(t->clock, value, absolute), (u64)1);
	if (t->notify != SIGEV_NONE)
		ktimer_start(&t->wall, t->expires);
}

static void set_timer(struct posix_timer *t, u64 value, u64 interval, bool absolute)
{
	t->expires = 0;
	t->interval = interval;
	__atomic_store_n(&t->overrun, 0, __ATOMIC_RELAXED);
	t->overrun_last = 0;
	ktimer_stop(&t->wall);
	cpu_timer_stop(&t->cpu);
	if (value)
		arm(t, value, absolute);
}

long sys_timer_settime(u64 id, u64 flags, u64 new, u64 old)
{
	u64 value, interval, was, was_interval;
	struct posix_timer *t;
	int err;

	if (!new)
		return -EINVAL;
	err = get_itimerspec(new, &value, &interval);
	if (err)
		return err;
	t = timer_lock((int)id);
	if (!t)
		return -EINVAL;
	read_timer(t, &was, &was_interval);
	set_timer(t, value, interval, (int)flags & TIMER_ABSTIME);
	timer_unlock(t);
	return old ? put_itimerspec(old, was, was_interval) : 0;
}

long sys_timer_gettime(u64 id, u64 to)
{
	struct posix_timer *t = timer_lock((int)id);
	u64 value, interval;

	if (!t)
		return -EINVAL;
	read_timer(t, &value, &interval);
	timer_unlock(t);
	return put_itimerspec(to, value, interval);
}

long sys_timer_getoverrun(u64 id)
{
	struct posix_timer *t = timer_lock((int)id);
	long n;

	if (!t)
		return -EINVAL;
	n = (long)t->overrun_last;
	timer_unlock(t);
	return n;
}
