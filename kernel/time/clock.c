// SPDX-License-Identifier: Apache-2.0
/* The wall clocks: clock_gettime and what is older. Programs mostly read them in the vdso. */
#include "syscall.h"

#include <linux/timex.h>

#include "cred.h"
#include "ktime.h"
#include "time_ns.h"
#include "timers.h"

#define COARSE_RES 4000000 /* ns: a tick of a host kernel of 250 Hz */

/* ---- times in user memory ---- */

static int timespec_ns(const struct __kernel_timespec *ts, u64 *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long long)NSEC_PER_SEC)
		return -EINVAL;
	*ns = (u64)ts->tv_sec >= TIME_MAX / NSEC_PER_SEC ?
		      TIME_MAX :
		      (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
	return 0;
}

static struct __kernel_timespec ns_timespec(u64 ns)
{
	return (struct __kernel_timespec){ .tv_sec = (s64)(ns / NSEC_PER_SEC),
					   .tv_nsec = (s64)(ns % NSEC_PER_SEC) };
}

int get_timespec(uaddr_t from, u64 *ns)
{
	struct __kernel_timespec ts;

	if (mc_copy_from_user(&ts, from, sizeof(ts)))
		return -EFAULT;
	return timespec_ns(&ts, ns);
}

int put_timespec(uaddr_t to, u64 ns)
{
	struct __kernel_timespec ts = ns_timespec(ns);

	return mc_copy_to_user(to, &ts, sizeof(ts)) ? -EFAULT : 0;
}

int get_itimerspec(uaddr_t from, u64 *value, u64 *interval)
{
	struct __kernel_itimerspec its;
	int err;

	if (mc_copy_from_user(&its, from, sizeof(its)))
		return -EFAULT;
	err = timespec_ns(&its.it_value, value);
	return err ? err : timespec_ns(&its.it_interval, interval);
}

int put_itimerspec(uaddr_t to, u64 value, u64 interval)
{
	struct __kernel_itimerspec its = { .it_interval = ns_timespec(interval),
					   .it_value = ns_timespec(value) };

	return mc_copy_to_user(to, &its, sizeof(its)) ? -EFAULT : 0;
}

/* ---- clocks ---- */

/*
 * The alarm clocks are the plain ones: a container wakes no machine. TAI without a leap second
 * table is UTC.
 */
static int plain_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		return CLOCK_REALTIME;
	case CLOCK_BOOTTIME_ALARM:
		return CLOCK_BOOTTIME;
	default:
		return clock;
	}
}

bool clock_is_wall(int clock)
{
	clock = plain_clock(clock);
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
}

static bool clock_is_coarse(int clock)
{
	return clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
}

u64 clock_read(int clock)
{
	clock = plain_clock(clock);
	return mc_clock(clock) + (u64)clock_offset(clock);
}

/* A time of current's namespace, as the first one has it. What is before its beginning has passed. */
static u64 unshifted(int clock, u64 time)
{
	s64 offset = clock_offset(clock);

	if (offset < 0)
		return min(time_add(time, (u64)-offset), (u64)TIME_MAX);
	return time < (u64)offset ? 0 : time - (u64)offset;
}

u64 deadline_of(int clock, u64 time, bool absolute)
{
	u64 now = monotonic_now(), there;

	if (!absolute)
		return time_add(now, time);
	clock = plain_clock(clock);
	time = unshifted(clock, time);
	if (clock == CLOCK_MONOTONIC)
		return time;
	there = mc_clock(clock);
	return time <= there ? now : time_add(now, time - there);
}

long sys_clock_gettime(u64 id, u64 to)
{
	int clock = (int)id;
	u64 ns;

	if (clock_is_wall(clock) || clock_is_coarse(clock) || clock == CLOCK_MONOTONIC_RAW) {
		ns = clock_read(clock);
	} else {
		int err = cpu_clock_read(clock, &ns);

		if (err)
			return err;
	}
	return put_timespec(to, ns);
}

long sys_clock_getres(u64 id, u64 to)
{
	int clock = (int)id;
	bool wall = clock_is_wall(clock) || clock_is_coarse(clock) || clock == CLOCK_MONOTONIC_RAW;
	u64 ns;

	if (!wall && cpu_clock_read(clock, &ns))
		return -EINVAL;
	return to ? put_timespec(to, clock_is_coarse(clock) ? COARSE_RES : 1) : 0;
}

/* The clock is the host's. */
long sys_clock_settime(u64 id, u64 from)
{
	u64 ns;
	int err;

	if ((int)id != CLOCK_REALTIME)
		return -EINVAL;
	err = get_timespec(from, &ns);
	return err ? err : -EPERM;
}

long sys_gettimeofday(u64 tv_to, u64 tz_to)
{
	u64 ns = mc_clock(CLOCK_REALTIME);
	struct timeval tv = { .tv_sec = (long)(ns / NSEC_PER_SEC),
			      .tv_usec = (long)(ns % NSEC_PER_SEC / 1000) };
	struct timezone tz = { 0 };

	if (tv_to && mc_copy_to_user(tv_to, &tv, sizeof(tv)))
		return -EFAULT;
	return tz_to && mc_copy_to_user(tz_to, &tz, sizeof(tz)) ? -EFAULT : 0;
}

long sys_settimeofday(u64 tv, u64 tz)
{
	return -EPERM;
}

long sys_time(u64 to)
{
	s64 now = (s64)(mc_clock(CLOCK_REALTIME) / NSEC_PER_SEC);

	return to && mc_copy_to_user(to, &now, sizeof(now)) ? -EFAULT : now;
}

/* ---- adjtimex: may be read, not changed ---- */

static void read_timex(struct __kernel_timex *tx)
{
	u64 ns = mc_clock(CLOCK_REALTIME);

	memset(tx, 0, sizeof(*tx));
	tx->tick = 10000;
	tx->precision = 1;
	tx->tolerance = 32768000;
	tx->maxerror = 16000000;
	tx->esterror = 16000000;
	tx->time.tv_sec = (s64)(ns / NSEC_PER_SEC);
	tx->time.tv_usec = (s64)(ns % NSEC_PER_SEC / 1000);
}

long sys_adjtimex(u64 buf)
{
	struct __kernel_timex tx;
	u32 modes;

	if (mc_copy_from_user(&tx, buf, sizeof(tx)))
		return -EFAULT;
	modes = tx.modes;
	if (modes && modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	read_timex(&tx);
	tx.modes = modes;
	return mc_copy_to_user(buf, &tx, sizeof(tx)) ? -EFAULT : TIME_OK;
}

long sys_clock_adjtime(u64 id, u64 buf)
{
	if ((int)id == CLOCK_REALTIME)
		return sys_adjtimex(buf);
	return clock_is_wall((int)id) ? -EOPNOTSUPP : -EINVAL;
}
