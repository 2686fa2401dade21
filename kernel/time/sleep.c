// SPDX-License-Identifier: Apache-2.0
/* nanosleep and clock_nanosleep. */
#include "syscall.h"

#include "timers.h"
#include "trace_hook.h"

/* A CPU clock cannot be slept on: look again when it could be reached at the earliest. */
static u64 cpu_deadline(int clock, u64 time)
{
	u64 now, threads = max(current->proc->nthreads, 1);

	if (cpu_clock_read(clock, &now) || now >= time)
		return 0;
	return time_add(monotonic_now(), max((time - now) / threads, (u64)NSEC_PER_MSEC));
}

/*
 * `time` absolute. 0 or -EINTR. The deadline is computed anew after each sleep: clocks are set,
 * processes get threads.
 */
static int sleep_until(int clock, u64 time)
{
	u64 deadline;

	for (;;) {
		deadline = clock_is_wall(clock) ? deadline_of(clock, time, true) :
						  cpu_deadline(clock, time);
		if (deadline <= monotonic_now())
			return 0;
		if (READ_ONCE(current->mc.work))
			return -EINTR;
		trace_may_sleep();
		mc_park(deadline);
	}
}

static long sleep_relative(int clock, u64 time, uaddr_t remain);

/* arg: clock, absolute end, where to store what remains */
static long sleep_again(struct restart *r)
{
	return sleep_relative((int)r->arg[0], r->arg[1], r->arg[2]);
}

static u64 clock_now(int clock)
{
	u64 ns = 0;

	if (clock_is_wall(clock))
		return clock_read(clock);
	cpu_clock_read(clock, &ns);
	return ns;
}

static long sleep_relative(int clock, u64 end, uaddr_t remain)
{
	struct task *t = current;
	u64 now;

	if (sleep_until(clock, end) == 0)
		return 0;
	now = clock_now(clock);
	if (remain && put_timespec(remain, end > now ? end - now : 0))
		return -EFAULT;
	t->restart = (struct restart){ .fn = sleep_again,
				       .arg = { (u64)clock, end, remain } };
	return -ERESTART_RESTARTBLOCK;
}

static long do_sleep(int clock, u64 time, bool absolute, uaddr_t remain)
{
	if (absolute)
		return sleep_until(clock, time) ? -ERESTARTNOHAND : 0;
	/* A relative sleep does not follow a clock that is set. */
	if (clock_is_wall(clock))
		clock = CLOCK_MONOTONIC;
	return sleep_relative(clock, time_add(clock_now(clock), time), remain);
}

long sys_nanosleep(u64 from, u64 remain)
{
	u64 time;
	int err = get_timespec(from, &time);

	return err ? err : do_sleep(CLOCK_MONOTONIC, time, false, remain);
}

long sys_clock_nanosleep(u64 id, u64 flags, u64 from, u64 remain)
{
	int clock = (int)id, err;
	struct cpu_clock c;
	u64 time;

	if (!clock_is_wall(clock)) {
		if (clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID)
			return clock == CLOCK_THREAD_CPUTIME_ID || clock > CLOCK_TAI ? -EINVAL :
										       -EOPNOTSUPP;
		if (cpu_clock_parse(clock, &c) || cpu_clock_read(clock, &time))
			return -EINVAL;
		/* A thread asleep would wait for itself. */
		if (c.thread && (!c.pid || c.pid == current->vtid))
			return -EINVAL;
	}
	err = get_timespec(from, &time);
	return err ? err : do_sleep(clock, time, (int)flags & TIMER_ABSTIME, remain);
}
