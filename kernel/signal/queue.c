// SPDX-License-Identifier: Apache-2.0
/*
 * Queues of pending signals. A signal below SIGRTMIN is pending once; each real-time signal has an
 * entry of its own. The bit in `set` is what counts: a signal may be pending with no entry
 * (no memory, over the limit), it then has no information but its number.
 */
#include "sig.h"

/*
 * Entries in use per real user, against RLIMIT_SIGPENDING. Users share counters by hash: a
 * collision makes a limit somewhat tighter, no more.
 */
#define USER_COUNTERS 64
static u32 queued[USER_COUNTERS];

static u32 *user_counter(u32 uid)
{
	return &queued[hash_u64(uid) % USER_COUNTERS];
}

static struct sigqueue *entry_new(u32 uid, u64 limit)
{
	u32 *n = user_counter(uid);
	struct sigqueue *q = NULL;

	if (__atomic_add_fetch(n, 1, __ATOMIC_RELAXED) <= limit)
		q = kmalloc(sizeof(*q));
	if (!q) {
		__atomic_sub_fetch(n, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	q->uid = uid;
	q->timer = NULL;
	return q;
}

static void entry_free(struct sigqueue *q)
{
	list_del(&q->node);
	if (q->timer) {
		posix_timer_put(q->timer); /* which may free the entry with it */
		return;
	}
	__atomic_sub_fetch(user_counter(q->uid), 1, __ATOMIC_RELAXED);
	kfree(q);
}

void sigpending_init(struct sigpending *q)
{
	list_init(&q->queue);
	q->set = 0;
}

bool sigqueue_add(struct sigpending *q, int sig, const siginfo_t *info, u32 uid, u64 limit)
{
	struct sigqueue *e = entry_new(uid, limit);

	if (!e)
		return false;
	e->info = *info;
	e->info.si_signo = sig;
	list_add_tail(&e->node, &q->queue);
	return true;
}

void sigqueue_flush(struct sigpending *q, sigmask_t mask)
{
	struct sigqueue *e, *tmp;

	if (!(q->set & mask))
		return;
	list_for_each_safe(e, tmp, &q->queue, node)
		if (sig_in(e->info.si_signo, mask))
			entry_free(e);
	WRITE_ONCE(q->set, q->set & ~mask);
}

static int next_signal(sigmask_t set)
{
	if (set & SYNCHRONOUS_MASK)
		set &= SYNCHRONOUS_MASK;
	return __builtin_ctzll(set) + 1;
}

/* The first entry of sig; *more: there is a second one. */
static struct sigqueue *find_entry(struct sigpending *q, int sig, bool *more)
{
	struct sigqueue *e, *first = NULL;

	*more = false;
	list_for_each(e, &q->queue, node) {
		if (e->info.si_signo != sig)
			continue;
		if (first) {
			*more = true;
			break;
		}
		first = e;
	}
	return first;
}

int sigqueue_take(struct sigpending *q, sigmask_t set, siginfo_t *info)
{
	struct sigqueue *e;
	bool more;
	int sig;

	set &= q->set;
	if (!set)
		return 0;
	sig = next_signal(set);
	e = find_entry(q, sig, &more);
	if (!more)
		WRITE_ONCE(q->set, q->set & ~SIGBIT(sig));
	if (!e) {
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		return sig;
	}
	*info = e->info;
	if (e->timer)
		posix_timer_taken(e->timer, info);
	entry_free(e);
	return sig;
}

int dequeue_locked(struct task *t, sigmask_t set, siginfo_t *info)
{
	int sig = sigqueue_take(&t->pending, set, info);

	if (!sig)
		sig = sigqueue_take(&t->proc->pending, set, info);
	/* A SIGCONT between here and the stop cancels the stop. */
	if (sig && sig_in(sig, STOP_MASK))
		t->proc->flags |= PROC_STOP_DEQUEUED;
	return sig;
}

int dequeue_signal(sigmask_t set, siginfo_t *info)
{
	struct task *t = current;
	int sig;

	if (!(pending_signals(t) & set))
		return 0;
	mutex_lock(&t->sighand->lock);
	sig = dequeue_locked(t, set & ~UNBLOCKABLE, info);
	mutex_unlock(&t->sighand->lock);
	if (sig)
		recalc_signal_work(t);
	return sig;
}

sigmask_t pending_signals(struct task *t)
{
	return READ_ONCE(t->pending.set) | READ_ONCE(t->proc->pending.set);
}
