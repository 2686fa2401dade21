// SPDX-License-Identifier: Apache-2.0
/* CPU time used: the CPU clocks, times(2), getrusage(2). */
#include "syscall.h"

#include <linux/times.h>

#include "mm.h"
#include "pid_ns.h"
#include "timers.h"

/*
 * Clock ids of processes and threads (linux/kernel/time/posix-timers.c): ~pid << 3 | per thread <<
 * 2 | what.
 */
#define CPUCLOCK_PROF 0
#define CPUCLOCK_VIRT 1
#define CPUCLOCK_SCHED 2

u64 thread_time(struct task *t, bool user_only)
{
	u64 user = 0, sys = 0;

	mc_cpu_time(t, false, &user, &sys);
	return user_only ? user : user + sys;
}

/*
 * While a thread lives, the machine's count of the process includes those that have died.
 * tasklist_lock held.
 */
static void times_locked(struct process *p, u64 *user, u64 *sys)
{
	struct task *t = p->leader;

	if (p->state == TASK_ZOMBIE || p->state == TASK_DEAD || !t) {
		*user = p->utime;
		*sys = p->stime;
		return;
	}
	*user = *sys = 0;
	mc_cpu_time(t, true, user, sys);
}

u64 process_time_locked(struct process *p, bool user_only)
{
	u64 user, sys;

	times_locked(p, &user, &sys);
	return user_only ? user : user + sys;
}

void process_cpu_time(struct process *p, u64 *user, u64 *sys)
{
	struct task *t = current;

	if (t->proc == p) {
		*user = *sys = 0;
		mc_cpu_time(t, true, user, sys);
		return;
	}
	guard(&tasklist_lock);
	times_locked(p, user, sys);
}

/* ---- clocks ---- */

int cpu_clock_parse(int id, struct cpu_clock *c)
{
	int what = id & 3;

	*c = (struct cpu_clock){ 0 };
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return 0;
	if (id == CLOCK_THREAD_CPUTIME_ID) {
		c->thread = true;
		return 0;
	}
	if (id >= 0 || what > CPUCLOCK_SCHED)
		return -EINVAL;
	c->pid = ~(id >> 3);
	c->thread = (id & 4) != 0;
	c->user_only = what == CPUCLOCK_VIRT;
	return 0;
}

static int read_thread(int tid, bool user_only, u64 *ns)
{
	struct task *t;

	if (!tid || tid == current->vtid) {
		*ns = thread_time(current, user_only);
		return 0;
	}
	guard(&tasklist_lock);
	t = find_vtask(tid);
	if (!t || t->proc != current->proc)
		return -EINVAL;
	*ns = thread_time(t, user_only);
	return 0;
}

static int read_process(int pid, bool user_only, u64 *ns)
{
	struct process *p;

	guard(&tasklist_lock);
	p = pid ? find_vprocess(pid) : current->proc;
	if (!p)
		return -EINVAL;
	*ns = process_time_locked(p, user_only);
	return 0;
}

int cpu_clock_read(int id, u64 *ns)
{
	struct cpu_clock c;
	int err = cpu_clock_parse(id, &c);

	if (err)
		return err;
	if (c.thread)
		return read_thread(c.pid, c.user_only, ns);
	return read_process(c.pid, c.user_only, ns);
}

/* ---- times, getrusage ---- */

static long ticks(u64 ns)
{
	return (long)(ns / (NSEC_PER_SEC / HZ));
}

long sys_times(u64 to)
{
	struct process *p = current->proc;
	struct tms tms;
	u64 user, sys;

	if (to) {
		process_cpu_time(p, &user, &sys);
		tms.tms_utime = ticks(user);
		tms.tms_stime = ticks(sys);
		tms.tms_cutime = ticks(READ_ONCE(p->cutime));
		tms.tms_cstime = ticks(READ_ONCE(p->cstime));
		if (mc_copy_to_user(to, &tms, sizeof(tms)))
			return -EFAULT;
	}
	return ticks(mc_clock(CLOCK_BOOTTIME));
}

static struct __kernel_old_timeval ns_timeval(u64 ns)
{
	return (struct __kernel_old_timeval){ .tv_sec = (long)(ns / NSEC_PER_SEC),
				 .tv_usec = (long)(ns % NSEC_PER_SEC / 1000) };
}

long sys_getrusage(u64 who, u64 to)
{
	struct task *t = current;
	struct rusage ru;
	u64 user = 0, sys = 0;

	memset(&ru, 0, sizeof(ru));
	switch ((int)who) {
	case RUSAGE_SELF:
		process_cpu_time(t->proc, &user, &sys);
		ru.ru_maxrss = (long)process_maxrss();
		break;
	case RUSAGE_THREAD:
		mc_cpu_time(t, false, &user, &sys);
		ru.ru_maxrss = (long)t->proc->maxrss;
		break;
	case RUSAGE_CHILDREN:
		user = READ_ONCE(t->proc->cutime);
		sys = READ_ONCE(t->proc->cstime);
		ru.ru_maxrss = (long)t->proc->cmaxrss;
		break;
	default:
		return -EINVAL;
	}
	ru.ru_utime = ns_timeval(user);
	ru.ru_stime = ns_timeval(sys);
	return mc_copy_to_user(to, &ru, sizeof(ru)) ? -EFAULT : 0;
}
