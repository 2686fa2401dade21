// SPDX-License-Identifier: Apache-2.0
/*
 * The mask of blocked signals. Only the task itself changes it, without a lock: against a sender,
 * who adds to a queue and then reads the mask, stands the order here, which is to write the mask
 * and then read the queues. One of them sees the other.
 */
#include "syscall.h"

#include "sig.h"
#include "trace_hook.h"

static bool deliverable(struct task *t)
{
	return (pending_signals(t) & ~READ_ONCE(t->blocked)) != 0;
}

void recalc_signal_work(struct task *t)
{
	if (deliverable(t)) {
		work_set(t, WORK_SIGNAL);
		return;
	}
	if (!(READ_ONCE(t->mc.work) & WORK_SIGNAL))
		return;
	work_clear(t, WORK_SIGNAL);
	/* A signal that came before the bit was cleared may have relied on it. */
	if (deliverable(t))
		work_set(t, WORK_SIGNAL);
}

static void hand_on_shared(struct task *t, sigmask_t mask)
{
	mutex_lock(&tasklist_lock);
	mutex_lock(&t->sighand->lock);
	retarget_shared(t, mask);
	mutex_unlock(&t->sighand->lock);
	mutex_unlock(&tasklist_lock);
}

void set_blocked(sigmask_t mask)
{
	struct task *t = current;
	sigmask_t newly;

	mask &= ~UNBLOCKABLE;
	newly = mask & ~t->blocked;
	if (mask == t->blocked)
		return;
	__atomic_store_n(&t->blocked, mask, __ATOMIC_SEQ_CST);
	/* This thread may have been chosen for a signal that it now blocks. */
	if (unlikely(newly & READ_ONCE(t->proc->pending.set)) && t->proc->nthreads > 1)
		hand_on_shared(t, newly);
	recalc_signal_work(t);
}

static int get_mask(uaddr_t from, u64 size, sigmask_t *mask)
{
	if (size != sizeof(*mask))
		return -EINVAL;
	return mc_copy_from_user(mask, from, sizeof(*mask)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(u64 how, u64 set, u64 oldset, u64 size)
{
	sigmask_t old = current->blocked, mask;
	int err;

	if (size != sizeof(mask))
		return -EINVAL;
	if (set) {
		err = get_mask(set, size, &mask);
		if (err)
			return err;
		switch ((int)how) {
		case SIG_BLOCK:
			set_blocked(old | mask);
			break;
		case SIG_UNBLOCK:
			set_blocked(old & ~mask);
			break;
		case SIG_SETMASK:
			set_blocked(mask);
			break;
		default:
			return -EINVAL;
		}
	}
	return oldset && mc_copy_to_user(oldset, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_rt_sigpending(u64 to, u64 size)
{
	struct task *t = current;
	sigmask_t set = pending_signals(t) & t->blocked;

	if (size > sizeof(set))
		return -EINVAL;
	return mc_copy_to_user(to, &set, size) ? -EFAULT : 0;
}

bool signal_pending(void)
{
	return (READ_ONCE(current->mc.work) & (WORK_SIGNAL | WORK_STOP | WORK_FREEZE | WORK_EXIT)) != 0;
}

bool fatal_signal_pending(void)
{
	return (READ_ONCE(current->mc.work) & WORK_EXIT) != 0;
}

bool signal_ignored_or_blocked(int sig)
{
	struct task *t = current;

	return sig_in(sig, t->blocked) ||
	       READ_ONCE(t->sighand->action[sig - 1].handler) == HANDLER_IGN;
}

/* ---- masks for the length of a call ---- */

static void wait_for_signal(struct task *t)
{
	while (!READ_ONCE(t->mc.work)) {
		trace_may_sleep();
		mc_park(MC_FOREVER);
	}
}

int set_user_sigmask(uaddr_t from, u64 size)
{
	struct task *t = current;
	sigmask_t mask;
	int err;

	t->restore_sigmask = false;
	if (!from)
		return 0;
	err = get_mask(from, size, &mask);
	if (err)
		return err;
	t->saved_sigmask = t->blocked;
	t->restore_sigmask = true;
	set_blocked(mask);
	return 0;
}

/*
 * Interrupted: the signal that did it may be deliverable under the temporary mask only, so that
 * stays until kernel_user_work() has set up its handler.
 */
void restore_user_sigmask(bool interrupted)
{
	struct task *t = current;

	if (!t->restore_sigmask)
		return;
	t->restore_sigmask = false;
	if (interrupted)
		work_set(t, WORK_SIGMASK);
	else
		set_blocked(t->saved_sigmask);
}

long sys_rt_sigsuspend(u64 from, u64 size)
{
	struct task *t = current;
	sigmask_t mask;
	int err = get_mask(from, size, &mask);

	if (err)
		return err;
	t->saved_sigmask = t->blocked;
	set_blocked(mask);
	wait_for_signal(t);
	work_set(t, WORK_SIGMASK);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	wait_for_signal(current);
	return -ERESTARTNOHAND;
}
