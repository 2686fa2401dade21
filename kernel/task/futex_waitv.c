// SPDX-License-Identifier: Apache-2.0
/* futex_waitv(2): wait for any of up to 128 futexes. */
#include "futex.h"

#include "ktime.h"
#include "syscall.h"
#include "trace_hook.h"

struct waitv {
	struct futex_waitv user;
	struct futex_waiter w;
};

/* Take the first n off. Index of one that was woken, or -1. */
static long unqueue_all(struct waitv *v, u32 n)
{
	long woken = -1;

	for (u32 i = 0; i < n; i++)
		if (!futex_unqueue(&v[i].w) && woken < 0)
			woken = (long)i;
	return woken;
}

static int get_entries(struct waitv *v, uaddr_t from, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct futex_waitv *u = &v[i].user;

		if (mc_copy_from_user(u, from + i * sizeof(*u), sizeof(*u)))
			return -EFAULT;
		if (u->flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG) || !(u->flags & FUTEX_32) ||
		    u->__reserved)
			return -EINVAL;
	}
	return 0;
}

/* Index of one that was woken while the others were queued, -1: all are queued, *err: a failure. */
static long enqueue_all(struct waitv *v, u32 n, int *err)
{
	for (u32 i = 0; i < n; i++) {
		v[i].w.bitset = FUTEX_BITSET_MATCH_ANY;
		*err = futex_wait_prepare(&v[i].w, v[i].user.uaddr,
					  !(v[i].user.flags & FUTEX_PRIVATE_FLAG),
					  (u32)v[i].user.val);
		if (*err)
			return unqueue_all(v, i);
	}
	return -1;
}

static bool any_woken(struct waitv *v, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (!__atomic_load_n(&v[i].w.bucket, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static long wait_any(struct waitv *v, u32 n, u64 deadline)
{
	int err = 0;
	long woken = enqueue_all(v, n, &err);

	if (woken >= 0 || err)
		return woken >= 0 ? woken : err;
	while (!any_woken(v, n) && err != -ETIMEDOUT) {
		if (READ_ONCE(current->mc.work)) {
			err = -ERESTARTSYS;
			break;
		}
		trace_may_sleep();
		err = mc_park(deadline);
	}
	woken = unqueue_all(v, n);
	return woken >= 0 ? woken : err;
}

static int waitv_deadline(uaddr_t timeout, int clock, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = MC_FOREVER;
	if (!timeout)
		return 0;
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return -EINVAL;
	err = get_timespec(timeout, &ns);
	if (!err)
		*deadline = deadline_of(clock, ns, true);
	return err;
}

long sys_futex_waitv(u64 waiters, u64 n_arg, u64 flags, u64 timeout, u64 clock)
{
	u32 n = (u32)n_arg;
	struct waitv *v;
	u64 deadline;
	long r;

	if (flags || !n || n > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	r = waitv_deadline(timeout, (int)clock, &deadline);
	if (r)
		return r;
	v = kzalloc(n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r = get_entries(v, waiters, n);
	if (!r)
		r = wait_any(v, n, deadline);
	kfree(v);
	return r;
}
