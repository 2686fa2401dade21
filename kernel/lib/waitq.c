/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues. A waiter is on the queue from waitq_add() to waitq_del(), so its
 * memory (usually the sleeper's stack) and its task outlive any wake-up: both need the lock.
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
	guard(&q->lock);
	list_for_each_safe(w, tmp, &q->waiters, node)
	{
		bool exclusive = w->exclusive; /* wake() may take w off the queue and free it */

		if (w->wake)
			w->wake(w, events);
		else
			mc_unpark(w->task);
		if (exclusive && n > 0 && --n == 0)
			break;
	}
}
