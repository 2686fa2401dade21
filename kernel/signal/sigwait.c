// SPDX-License-Identifier: Apache-2.0
/*
 * rt_sigtimedwait: takes a signal that is blocked without running a handler. While it sleeps the
 * signals of the set are unblocked, so that senders wake this thread; real_blocked tells them that
 * the signal is nevertheless waited for, and not to be dropped.
 */
#include "ktime.h"
#include "syscall.h"

#include "sig.h"
#include "trace_hook.h"

static int sleep_for(struct task *t, sigmask_t set, u64 deadline, siginfo_t *info)
{
	sigmask_t old = t->blocked;
	int sig = 0, err = 0;

	WRITE_ONCE(t->real_blocked, old);
	set_blocked(old & ~set);
	while (!(sig = dequeue_signal(set, info))) {
		if (READ_ONCE(t->mc.work))
			err = -EINTR;
		if (err == -EINTR || err == -ETIMEDOUT)
			break;
		trace_may_sleep();
		err = mc_park(deadline);
	}
	WRITE_ONCE(t->real_blocked, 0);
	set_blocked(old);
	if (sig)
		return sig;
	return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

long sys_rt_sigtimedwait(u64 from, u64 info_to, u64 timeout, u64 size)
{
	u64 deadline = MC_FOREVER, ns;
	siginfo_t info;
	sigmask_t set;
	int sig, err;

	if (size != sizeof(set))
		return -EINVAL;
	if (mc_copy_from_user(&set, from, sizeof(set)))
		return -EFAULT;
	if (timeout) {
		err = get_timespec(timeout, &ns);
		if (err)
			return err;
		deadline = ns ? deadline_of(CLOCK_MONOTONIC, ns, false) : 0;
	}
	set &= ~UNBLOCKABLE;
	sig = dequeue_signal(set, &info);
	if (!sig)
		sig = deadline ? sleep_for(current, set, deadline, &info) : -EAGAIN;
	if (sig > 0 && info_to && mc_copy_to_user(info_to, &info, sizeof(info)))
		return -EFAULT;
	return sig;
}
