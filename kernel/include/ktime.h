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
 * ktimer_start moves a timer that runs. ktimer_cancel waits until a running fn
 * has returned (not when called by fn itself): afterwards the timer may be freed. So no lock that fn
 * takes may be held.
 */
struct ktimer {
	u64 deadline; /* CLOCK_MONOTONIC */
	u32 index;    /* position in the heap, from 1; 0: not started */
	void (*fn)(struct ktimer *t);
};
void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *t));
void ktimer_start(struct ktimer *t, u64 deadline);
void ktimer_cancel(struct ktimer *t);

/* User times. 0, -EFAULT, or -EINVAL for one that is negative or not normal. */
int get_timespec(uaddr_t from, u64 *ns);
int put_timespec(uaddr_t to, u64 ns);
int get_itimerspec(uaddr_t from, u64 *value, u64 *interval);
int put_itimerspec(uaddr_t to, u64 value, u64 interval);

/* a + b without wrapping, at most MC_FOREVER. */
static inline u64 time_add(u64 a, u64 b) { return a + b < a ? MC_FOREVER : a + b; }

/*
 * The CLOCK_MONOTONIC deadline for an absolute or relative time on `clock` (CLOCK_MONOTONIC,
 * REALTIME, BOOTTIME, TAI and the ALARM ones): what mc_park and ktimer_start want.
 */
u64 deadline_of(int clock, u64 time, bool absolute);
bool clock_is_wall(int clock); /* one of those */

#endif
