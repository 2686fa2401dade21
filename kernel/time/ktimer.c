// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel timers: a pairing heap by deadline, served by one kernel thread that is made on first
 * use. The heap is intrusive, so starting a timer cannot fail.
 * (Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, 1986. A node's prev is its left
 * sibling, or its parent if it is the first child.)
 */
#include "ktime.h"

#include "sync.h"
#include "task.h"

static struct mutex lock;
static struct ktimer *root;
static struct ktimer *running;
static struct task *thread;
static u64 wakes_at; /* when the thread looks next by itself, or as it has been told to */
static u32 thread_state; /* 0: none, 1: being made, 2: there */

/* ---- the heap; lock held ---- */

static struct ktimer *merge(struct ktimer *a, struct ktimer *b)
{
	struct ktimer *swap;

	if (!a || !b)
		return a ? a : b;
	if (b->deadline < a->deadline) {
		swap = a;
		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

static struct ktimer *detach(struct ktimer *t)
{
	if (t)
		t->next = t->prev = NULL;
	return t;
}

/* Merge a list of siblings: pairs from left to right, then the pairs from right to left. */
static struct ktimer *merge_siblings(struct ktimer *first)
{
	struct ktimer *pairs = NULL, *all = NULL;

	while (first) {
		struct ktimer *a = first, *b = a->next, *m;

		first = b ? b->next : NULL;
		m = merge(detach(a), detach(b));
		m->next = pairs;
		pairs = m;
	}
	while (pairs) {
		struct ktimer *next = pairs->next;

		all = merge(all, detach(pairs));
		pairs = next;
	}
	return all;
}

static void heap_remove(struct ktimer *t)
{
	struct ktimer *below = merge_siblings(t->child);

	t->child = NULL;
	t->queued = false;
	if (t == root) {
		root = below;
		return;
	}
	if (t->prev->child == t)
		t->prev->child = t->next;
	else
		t->prev->next = t->next;
	if (t->next)
		t->next->prev = t->prev;
	detach(t);
	root = merge(root, below);
}

/* ---- the thread ---- */

/* Run what has expired. Returns the next deadline. */
static u64 run_expired(void)
{
	struct ktimer *t;
	u64 next;

	mutex_lock(&lock);
	while ((t = root) && t->deadline <= monotonic_now()) {
		heap_remove(t);
		running = t;
		mutex_unlock(&lock);
		t->fn(t);
		mutex_lock(&lock);
		running = NULL;
	}
	wakes_at = next = t ? t->deadline : MC_FOREVER;
	mutex_unlock(&lock); /* from here on t may be stopped and freed */
	return next;
}

static void timer_thread(void *arg)
{
	u64 next;

	for (;;) {
		next = run_expired();
		/* A timer started since then has left a token by its unpark. */
		mc_park(next);
	}
}

static int thread_ready(void)
{
	u32 none = 0;

	while (__atomic_load_n(&thread_state, __ATOMIC_ACQUIRE) != 2) {
		if (!__atomic_compare_exchange_n(&thread_state, &none, 1, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED)) {
			none = 0;
			mc_yield();
			continue;
		}
		thread = kthread_create(timer_thread, NULL);
		__atomic_store_n(&thread_state, thread ? 2 : 0, __ATOMIC_RELEASE);
		if (!thread)
			return -ENOMEM;
	}
	return 0;
}

/* ---- interface ---- */

int ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *t))
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	return thread_ready();
}

void ktimer_start(struct ktimer *t, u64 deadline)
{
	bool sooner;

	mutex_lock(&lock);
	if (t->queued)
		heap_remove(t);
	t->deadline = deadline;
	t->queued = true;
	detach(t);
	root = merge(root, t);
	/* Whoever sets a time-out for each of his requests sets the same timer later and later: the thread need not know. */
	sooner = deadline < wakes_at;
	if (sooner)
		wakes_at = deadline;
	mutex_unlock(&lock);
	if (sooner && current != thread)
		mc_unpark(thread);
}

void ktimer_stop(struct ktimer *t)
{
	mutex_lock(&lock);
	if (t->queued)
		heap_remove(t);
	mutex_unlock(&lock);
}

void ktimer_cancel(struct ktimer *t)
{
	bool busy;

	for (;;) {
		mutex_lock(&lock);
		if (t->queued)
			heap_remove(t);
		busy = running == t;
		mutex_unlock(&lock);
		if (!busy)
			return;
		mc_yield();
	}
}

u64 timer_forward(u64 *expires, u64 interval, u64 now)
{
	u64 n;

	if (!interval) {
		*expires = 0;
		return 1;
	}
	n = (now - *expires) / interval + 1;
	*expires += n * interval;
	return n;
}
