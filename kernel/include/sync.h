/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes and wait queues: all of the kernel's blocking.
 *
 * A mutex spins briefly, then sleeps. It may be held over user copies (a page fault of
 * user memory is the machine's business and takes no kernel lock but mm->lock on other
 * machines: so never copy to or from user memory with an mm->lock held), never
 * over mc_park, mc_io on things that block, or mc_thread_start.
 *
 * Order of locks, outermost first (docs/architecture.md has the reasons):
 *   fdtable.lock -> vfs/mount -> inode.lock -> file.lock -> mm.lock
 *   epoll -> socket/pipe object locks -> tasklist_lock -> sighand.lock -> waitq.lock -> allocator
 */
#ifndef SYNC_H
#define SYNC_H

#include "list.h"

struct mutex {
	u32 state; /* 0 free, 1 held, 2 held and somebody may sleep */
};
#define MUTEX_INIT { 0 }

void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

static inline bool mutex_trylock(struct mutex *m)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(&m->state, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void mutex_lock(struct mutex *m)
{
	if (unlikely(!mutex_trylock(m)))
		mutex_lock_slow(m);
}

static inline void mutex_unlock(struct mutex *m)
{
	if (unlikely(__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2))
		mutex_unlock_slow(m);
}

static inline void mutex_unlock_cleanup(struct mutex **m)
{
	if (*m)
		mutex_unlock(*m);
}
static inline struct mutex *mutex_lock_scope(struct mutex *m)
{
	mutex_lock(m);
	return m;
}
#define GUARD_NAME2(line) guard_##line
#define GUARD_NAME(line) GUARD_NAME2(line)
/* Hold m until the end of the enclosing block. */
#define guard(m)                                                                                   \
	struct mutex *GUARD_NAME(__LINE__) __cleanup(mutex_unlock_cleanup) __attribute__((unused)) = mutex_lock_scope(m)

/* ---- wait queues ---- */

struct waitq {
	struct mutex lock;
	struct list_head waiters;
};
#define WAITQ_INIT(name) { MUTEX_INIT, LIST_HEAD_INIT((name).waiters) }

struct waiter {
	struct list_head node;
	struct task *task;
	/* Called with the queue's lock held; must not block. NULL: unpark task. events: POLL* mask, or 0 for any. */
	void (*wake)(struct waiter *w, u32 events);
	bool exclusive; /* a waitq_wake of n exclusive waiters stops after n of these */
};

/*
 * Wake-ups put off until locks are released. Who is woken runs at once, on another CPU, and wants the very
 * lock under which he was found: unparked under it, he would go straight back to sleep.
 *
 * While a task holds a batch, what it wakes (waitq_wake, wake_task, kick_task) is gathered there. Declare
 * defer_wakes() before the guard(): cleanup goes the other way round. Inside another one it does nothing.
 * task.wake_refs keeps those in the batch in existence.
 */
#define WAKE_BATCH 16
struct wake_batch {
	u32 n;
	u64 task[WAKE_BATCH]; /* pointers; bit 0: kick */
};
void wake_hold(struct wake_batch *b);
void wake_release(struct wake_batch *b); /* does what was put off, if it is the one that is held */
void wake_task(struct task *t);          /* mc_unpark, now or later */
void kick_task(struct task *t);          /* mc_kick, now or later */
/* Batches of one's own, not held: false if it is full. wake_flush needs no lock. */
bool wake_add(struct wake_batch *b, struct task *t, bool kick);
void wake_flush(struct wake_batch *b);
#define defer_wakes()                                                                              \
	struct wake_batch deferred_wakes __cleanup(wake_release);                                  \
	wake_hold(&deferred_wakes)

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w); /* w->task = current unless set; non-exclusive ones first */
void waitq_del(struct waitq *q, struct waiter *w);
/* Wake all non-exclusive and up to n exclusive waiters (n <= 0: all). Cheap when nobody waits. */
void waitq_wake(struct waitq *q, u32 events, int n);
static inline void waitq_wake_all(struct waitq *q, u32 events) { waitq_wake(q, events, 0); }

void trace_may_sleep_task(void); /* trace_hook.h's trace_may_sleep(), which wants task.h */
bool task_work_pending(void); /* current has work: a signal, a stop, an exit */

/*
 * Sleep until cond is true. 0, -ERESTARTSYS (work pending: a signal), or -ETIMEDOUT.
 * cond is evaluated without the queue's lock; take the object's own lock inside it if needed.
 */
#define wait_event(q, cond, deadline) wait_event_how(q, cond, deadline, false)
/* As one of the exclusive waiters: on an error the caller must pass a wake-up on, it may have taken one. */
#define wait_event_exclusive(q, cond, deadline) wait_event_how(q, cond, deadline, true)

#define wait_event_how(q, cond, deadline, excl)                                                    \
	({                                                                                         \
		long _ret = 0;                                                                     \
		if (!(cond)) {                                                                     \
			struct waiter _w = { .node = LIST_HEAD_INIT(_w.node), .exclusive = (excl) }; \
			waitq_add((q), &_w);                                                       \
			for (;;) {                                                                 \
				if (cond) {                                                        \
					_ret = 0;                                                  \
					break;                                                     \
				}                                                                  \
				if (_ret == -ETIMEDOUT)                                            \
					break;                                                     \
				if (task_work_pending()) {                                         \
					_ret = -ERESTARTSYS;                                       \
					break;                                                     \
				}                                                                  \
				trace_may_sleep_task();                                            \
				_ret = mc_park(deadline);                                          \
			}                                                                          \
			waitq_del((q), &_w);                                                       \
		}                                                                                  \
		_ret;                                                                              \
	})

#endif
