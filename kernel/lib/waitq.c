/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues. A waiter is on the queue from waitq_add() to waitq_del(), so its
 * memory (usually the sleeper's stack) outlives any look at it, which needs the lock; wake_refs
 * keeps its task.
 */
#include "sync.h"
#include "task.h"

bool task_work_pending(void)
{
	return READ_ONCE(current->mc.work) != 0;
}

void waitq_init(struct waitq *q)
{
	q->lock = (struct mutex)MUTEX_INIT;
	list_init(&q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	if (!w->task)
		w->task = current;
	/* The unlock is a full barrier: what the caller reads next (its condition) is read after
	 * the insertion. */
	guard(&q->lock);
	if (w->exclusive)
		list_add_tail(&w->node, &q->waiters);
	else
		list_add(&w->node, &q->waiters);
}

void waitq_del(struct waitq *q, struct waiter *w)
{
	guard(&q->lock);
	list_del(&w->node);
}

/* ---- wake-ups put off ---- */

bool wake_add(struct wake_batch *b, struct task *t, bool kick)
{
	if (b->n == WAKE_BATCH)
		return false;
	__atomic_fetch_add(&t->wake_refs, 1, __ATOMIC_RELAXED);
	b->task[b->n++] = (u64)t | kick;
	return true;
}

void wake_flush(struct wake_batch *b)
{
	for (u32 i = 0; i < b->n; i++) {
		struct task *t = (struct task *)(b->task[i] & ~1ULL);

		if (b->task[i] & 1)
			mc_kick(t);
		else
			mc_unpark(t);
		__atomic_fetch_sub(&t->wake_refs, 1, __ATOMIC_RELEASE);
	}
	b->n = 0;
}

void wake_hold(struct wake_batch *b)
{
	struct task *me = current;

	b->n = 0;
	if (!me->wake_batch)
		me->wake_batch = b;
}

void wake_release(struct wake_batch *b)
{
	struct task *me = current;

	if (me->wake_batch != b)
		return;
	me->wake_batch = NULL;
	wake_flush(b);
}

void wake_task(struct task *t)
{
	struct wake_batch *b = current->wake_batch;

	if (!b || !wake_add(b, t, false))
		mc_unpark(t);
}

void kick_task(struct task *t)
{
	struct wake_batch *b = current->wake_batch;

	if (!b || !wake_add(b, t, true))
		mc_kick(t);
}

void task_await_wakers(struct task *t)
{
	for (int i = 0; __atomic_load_n(&t->wake_refs, __ATOMIC_ACQUIRE); i++)
		if (i < 100)
			__builtin_ia32_pause();
		else
			mc_yield();
}

void waitq_wake(struct waitq *q, u32 events, int n)
{
	struct waiter *w, *tmp;

	/*
	 * Against waitq_add(): the caller has made the condition true before this barrier. Either
	 * the sleeper sees that, or its insertion is seen here.
	 */
	smp_mb();
	if (READ_ONCE(q->waiters.next) == &q->waiters)
		return;
	defer_wakes();
	guard(&q->lock);
	list_for_each_safe(w, tmp, &q->waiters, node)
	{
		bool exclusive = w->exclusive; /* wake() may take w off the queue and free it */

		if (w->wake)
			w->wake(w, events);
		else
			wake_task(w->task);
		if (exclusive && n > 0 && --n == 0)
			break;
	}
}
