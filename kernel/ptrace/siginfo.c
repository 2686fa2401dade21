// SPDX-License-Identifier: Apache-2.0
/* PTRACE_GETSIGINFO and SETSIGINFO, PEEKSIGINFO, GETSIGMASK and SETSIGMASK. tasklist_lock held. */
#include "impl.h"

long siginfo_get(struct task *t, uaddr_t to)
{
	if (!t->ptrace.info)
		return -EINVAL;
	return mc_copy_to_user(to, t->ptrace.info, sizeof(siginfo_t)) ? -EFAULT : 0;
}

long siginfo_set(struct task *t, uaddr_t from)
{
	siginfo_t info;

	if (mc_copy_from_user(&info, from, sizeof(info)))
		return -EFAULT;
	if (!t->ptrace.info)
		return -EINVAL;
	*t->ptrace.info = info;
	return 0;
}

/* The n-th entry of the queue. */
static bool entry_at(struct task *t, struct sigpending *q, u64 n, siginfo_t *info)
{
	struct sigqueue *e;

	guard(&t->sighand->lock);
	list_for_each(e, &q->queue, node)
		if (!n--) {
			*info = e->info;
			return true;
		}
	return false;
}

long siginfo_peek(struct task *t, uaddr_t from, uaddr_t to)
{
	struct ptrace_peeksiginfo_args a;
	struct sigpending *q;
	siginfo_t info;
	s32 done;

	if (mc_copy_from_user(&a, from, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED || a.nr < 0)
		return -EINVAL;
	q = a.flags & PTRACE_PEEKSIGINFO_SHARED ? &t->proc->pending : &t->pending;
	for (done = 0; done < a.nr && entry_at(t, q, a.off + (u64)done, &info); done++)
		if (mc_copy_to_user(to + (u64)done * sizeof(info), &info, sizeof(info)))
			return done ? done : -EFAULT;
	return done;
}

long sigmask_get(struct task *t, u64 size, uaddr_t to)
{
	if (size != sizeof(sigmask_t))
		return -EINVAL;
	return mc_copy_to_user(to, &t->blocked, sizeof(t->blocked)) ? -EFAULT : 0;
}

/* The task looks at what is pending when it goes on. */
long sigmask_set(struct task *t, u64 size, uaddr_t from)
{
	sigmask_t mask;

	if (size != sizeof(mask))
		return -EINVAL;
	if (mc_copy_from_user(&mask, from, sizeof(mask)))
		return -EFAULT;
	__atomic_store_n(&t->blocked, mask & ~UNBLOCKABLE, __ATOMIC_SEQ_CST);
	return 0;
}
