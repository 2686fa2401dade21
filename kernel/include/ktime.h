/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, kernel timers, and times in user memory. All times are u64 nanoseconds. */
#ifndef KTIME_H
#define KTIME_H

#include <linux/time.h>

#include "kernel.h"

static inline u64 monotonic_now(void) { return mc_clock(CLOCK_MONOTONIC); }

/*
 * A kernel timer: fn runs in the timer thread, once, at or soon after the deadline. fn may
 * start its timer again and take any lock but must not block for long.
 *
 * ktimer_init makes the timer thread if there is none yet: no lock may be held. 0 or -errno.
 * ktimer_start moves a timer that runs. ktimer_stop does not wait for fn: where that matters, fn
 * looks under the owner's lock whether it is still wanted. ktimer_cancel waits until a running fn
 * has returned (it may not be called by fn): afterwards the timer may be freed. No lock that fn
 * takes may be held then.
 */
struct ktimer {
	u64 deadline; /* CLOCK_MONOTONIC */
	bool queued;
	struct ktimer *child, *next, *prev; /* the heap's */
	void (*fn)(struct ktimer *t);
};
int __must_check ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *t));
void ktimer_start(struct ktimer *t, u64 deadline);
void ktimer_stop(struct ktimer *t);
void ktimer_cancel(struct ktimer *t);

/*
 * A periodic expiry: advance *expires beyond `now` (interval 0: to 0, off) and return how often it
 * expired, at least 1. *expires <= now.
 */
u64 timer_forward(u64 *expires, u64 interval, u64 now);

/* User times. 0, -EFAULT, or -EINVAL for one that is negative or not normal. */
int get_timespec(uaddr_t from, u64 *ns);
int put_timespec(uaddr_t to, u64 ns);
int get_itimerspec(uaddr_t from, u64 *value, u64 *interval);
int put_itimerspec(uaddr_t to, u64 value, u64 interval);

/* a + b without wrapping, at most MC_FOREVER. */
static inline u64 time_add(u64 a, u64 b) { return a + b < a ? MC_FOREVER : a + b; }

/*
 * The CLOCK_MONOTONIC deadline for an absolute or relative time on `clock` (CLOCK_MONOTONIC,
 * REALTIME, BOOTTIME, TAI and the ALARM ones; of current's time namespace): what mc_park and ktimer_start want.
 */
u64 deadline_of(int clock, u64 time, bool absolute);
#define TIME_MAX 0x7fffffffffffffffULL /* what get_timespec gives for a longer time */
bool clock_is_wall(int clock); /* one of those */
u64 clock_read(int clock); /* as current's time namespace has it */

#endif
