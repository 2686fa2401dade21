// SPDX-License-Identifier: Apache-2.0
/*
 * PI futexes: the word holds the owner's tid, and waiters get the lock handed over in order of
 * arrival. Nobody inherits a priority: the machine's scheduler is not this kernel's.
 */
#include "futex.h"
#include "pid_ns.h"

/* First PI waiter of the key; *more: there is another. Bucket locked. */
static struct futex_waiter *first_waiter(struct futex_bucket *b, const struct futex_key *key,
					 bool *more)
{
	struct futex_waiter *w, *first = NULL;

	*more = false;
	list_for_each(w, &b->list, node) {
		if (!w->pi || !futex_key_equal(&w->key, key))
			continue;
		if (first) {
			*more = true;
			break;
		}
		first = w;
	}
	return first;
}

/*
 * Take the word if it is free, or else mark that somebody waits. Bucket locked. 0: taken; 1: wait
 * for *owner; -EDEADLK, -EFAULT, and -EAGAIN to a try.
 */
static int take_or_mark(uaddr_t addr, u32 me, bool others, bool try, int *owner)
{
	u32 word, new, seen;
	int err = mc_user_load(addr, &word);

	for (; !err; word = seen) {
		u32 tid = word & FUTEX_TID_MASK;

		if (tid == me)
			return -EDEADLK;
		if (tid && try)
			return -EAGAIN;
		new = tid ? word | FUTEX_WAITERS :
			    me | (word & FUTEX_OWNER_DIED) | (others ? FUTEX_WAITERS : 0);
		err = mc_user_cmpxchg(addr, word, new, &seen);
		if (err || seen != word)
			continue;
		*owner = (int)tid;
		return tid ? 1 : 0;
	}
	return err;
}

/*
 * 0: it lives, and will look for its waiters when it exits; -EAGAIN: it is on its way out, which will free its locks; -ESRCH:
 * it is gone. Its exit says so before it looks whether anybody waits: one of the two sees the other.
 */
static int check_owner(int tid)
{
	struct task *t;

	guard(&tasklist_lock);
	t = find_vtask(tid);
	if (!t)
		return -ESRCH;
	WRITE_ONCE(t->owns_pi, true);
	smp_mb();
	switch (READ_ONCE(t->futex_exit)) {
	case FUTEX_ALIVE: return 0;
	case FUTEX_EXITING: return -EAGAIN;
	default: return -ESRCH;
	}
}

/* The same of the task that the word at addr was seen to name: it may have freed the word before it went. */
static int check_word(uaddr_t addr, int tid)
{
	int r = check_owner(tid), err;
	u32 word;

	if (r != -ESRCH)
		return r;
	err = mc_user_load(addr, &word);
	return err ? err : (word & FUTEX_TID_MASK) == (u32)tid ? -ESRCH : -EAGAIN;
}

/* The dead owner's word: take it over for this waiter, whom the owner's exit has woken. */
static int take_from_dead(uaddr_t addr, u32 me, u32 dead)
{
	u32 word, seen;
	int err = mc_user_load(addr, &word);

	if (err || (word & FUTEX_TID_MASK) != dead)
		return err;
	return mc_user_cmpxchg(addr, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen);
}

/* One attempt. 0: taken; 1: queued; or -errno */
static int attempt(struct futex_waiter *w, uaddr_t addr, bool try, int dead)
{
	struct futex_bucket *b = futex_wait_lock(&w->key);
	u32 me = (u32)current->vtid;
	bool more;
	int r = 0;

	if (dead)
		r = take_from_dead(addr, me, (u32)dead);
	if (!r)
		r = take_or_mark(addr, me, first_waiter(b, &w->key, &more) != NULL, try, &w->owner);
	if (r == 1) {
		r = check_word(addr, w->owner);
		if (!r) {
			futex_enqueue(b, w);
			mutex_unlock(&b->lock);
			return 1;
		}
	}
	futex_wait_unlock(b);
	return r;
}

/* dead: the owner whose exit has woken the caller; 0: none has. */
static long lock_pi(uaddr_t addr, bool shared, u64 deadline, bool try, int dead)
{
	struct futex_waiter w = { .bitset = FUTEX_BITSET_MATCH_ANY, .pi = true };
	int r = futex_key_of(addr, shared, &w.key);

	if (r)
		return r;
	for (;;) {
		r = attempt(&w, addr, try, dead);
		if (r == -EAGAIN && !try) { /* the owner exits */
			if (READ_ONCE(current->mc.work))
				return -ERESTARTNOINTR;
			mc_yield();
			continue;
		}
		if (r == -ESRCH && dead) { /* another waiter was faster to take over, and is gone too */
			dead = w.owner;
			continue;
		}
		if (r != 1)
			return r;
		r = futex_sleep(&w, deadline);
		if (r && futex_unqueue(&w))
			return r == -EINTR ? -ERESTARTNOINTR : r;
		if (w.granted)
			return 0;
		dead = w.owner;
	}
}

long futex_lock_pi(uaddr_t addr, bool shared, u64 deadline, bool try)
{
	return lock_pi(addr, shared, deadline, try, 0);
}

/* From now on it is owner's task that the key's waiters wait for, and whose exit wakes them. Bucket locked. */
static void set_owner(struct futex_bucket *b, const struct futex_key *key, const struct futex_waiter *owner)
{
	struct futex_waiter *w;

	WRITE_ONCE(owner->task->owns_pi, true);
	list_for_each(w, &b->list, node)
		if (w->pi && futex_key_equal(&w->key, key))
			w->owner = owner->task->vtid;
}

/* Hand the word to the next waiter, or free it. Bucket locked. */
static int hand_over(struct futex_bucket *b, uaddr_t addr, const struct futex_key *key, u32 word,
		     struct wake_batch *batch)
{
	struct futex_waiter *w;
	u32 new, seen;
	bool more;
	int err;

	for (;; word = seen) {
		w = first_waiter(b, key, &more);
		new = w ? (u32)w->task->vtid | (more ? FUTEX_WAITERS : 0) : 0;
		err = mc_user_cmpxchg(addr, word, new, &seen);
		if (err)
			return err;
		if (seen == word)
			break;
	}
	if (w) {
		set_owner(b, key, w);
		w->granted = true;
		futex_take(w, batch);
	}
	return 0;
}

long futex_unlock_pi(uaddr_t addr, bool shared)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_bucket *b;
	struct futex_key key;
	u32 word;
	int err = futex_key_of(addr, shared, &key);

	if (!err)
		err = mc_user_load(addr, &word);
	if (err)
		return err;
	if ((word & FUTEX_TID_MASK) != (u32)current->vtid)
		return -EPERM;
	b = futex_bucket(&key);
	futex_lock(b);
	err = hand_over(b, addr, &key, word, &batch);
	mutex_unlock(&b->lock);
	wake_flush(&batch);
	return err;
}

/* ---- condition variables: from a plain futex to a PI one ---- */

long futex_wait_requeue_pi(uaddr_t addr, bool shared, u32 val, u64 deadline, uaddr_t pi)
{
	struct futex_waiter w = { .bitset = FUTEX_BITSET_MATCH_ANY, .to_pi = true };
	int r = addr == pi ? -EINVAL : futex_key_of(pi, shared, &w.key2);

	if (!r)
		r = futex_wait_prepare(&w, addr, shared, val);
	if (r)
		return r;
	if (futex_key_equal(&w.key, &w.key2)) {
		futex_unqueue(&w);
		return -EINVAL;
	}
	r = futex_sleep(&w, deadline);
	if (r && futex_unqueue(&w)) {
		if (r == -ETIMEDOUT)
			return r;
		return w.pi ? -EAGAIN : -ERESTARTNOINTR; /* moved already: it can't wait for the first word again */
	}
	return w.granted ? 0 : lock_pi(pi, shared, deadline, false, w.owner);
}

/* Everybody in the word's queue must want to come to key2. Both locked. The first of them, NULL: there is none. */
static struct futex_waiter *first_to_move(struct futex_bucket *b, const struct futex_key *key, const struct futex_key *key2,
					  bool *more)
{
	struct futex_waiter *w, *first = NULL;

	*more = false;
	list_for_each(w, &b->list, node) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (!w->to_pi || w->pi || !futex_key_equal(&w->key2, key2))
			return ERR_PTR(-EINVAL);
		*more = first != NULL;
		if (!first)
			first = w;
	}
	return first;
}

/* Up to n of them become waiters for the lock that `owner` has. Both locked. */
static int move_waiters(struct futex_bucket *b, struct futex_bucket *b2, const struct futex_key *key,
			const struct futex_key *key2, u32 n, int owner)
{
	struct futex_waiter *w, *next;
	int moved = 0;

	list_for_each_safe(w, next, &b->list, node) {
		if ((u32)moved == n)
			break;
		if (!futex_key_equal(&w->key, key))
			continue;
		w->pi = true;
		w->owner = owner;
		futex_move(w, b2, key2);
		moved++;
	}
	return moved;
}

/* Both locked. The first waiter gets the lock if it is free; the others wait for it. */
static int requeue_pi(struct futex_bucket *b, struct futex_bucket *b2, const struct futex_key *k, const struct futex_key *k2,
		      uaddr_t pi, u32 nmove, struct wake_batch *batch)
{
	bool more, others;
	struct futex_waiter *first = first_to_move(b, k, k2, &more);
	int owner, r;
	u32 me;

	if (!first || IS_ERR(first))
		return first ? (int)PTR_ERR(first) : 0;
	others = first_waiter(b2, k2, &others) != NULL;
	me = (u32)first->task->vtid;
	r = take_or_mark(pi, me, others || (more && nmove), false, &owner);
	if (r < 0)
		return r;
	if (r) {
		r = check_word(pi, owner);
		return r ? r : move_waiters(b, b2, k, k2, nmove < ~0u ? nmove + 1 : nmove, owner);
	}
	set_owner(b2, k2, first);
	first->granted = true;
	futex_take(first, batch);
	return 1 + move_waiters(b, b2, k, k2, nmove, (int)me);
}

long futex_cmp_requeue_pi(uaddr_t addr, uaddr_t pi, bool shared, u32 nwake, u32 nmove, u32 expect)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_bucket *b, *b2;
	struct futex_key k, k2;
	u32 val;
	int r;

	if ((int)nwake < 0 || (int)nmove < 0 || addr == pi || nwake != 1)
		return -EINVAL;
	r = futex_two_keys(addr, pi, shared, &k, &k2);
	if (!r && futex_key_equal(&k, &k2))
		r = -EINVAL;
	if (r)
		return r;
	b = futex_bucket(&k);
	b2 = futex_bucket(&k2);
	/* Those who are moved are announced at the new place before a waker can look there. */
	__atomic_fetch_add(&b2->waiters, 1, __ATOMIC_SEQ_CST);
	do {
		futex_lock_two(b, b2);
		r = mc_user_load(addr, &val);
		if (!r)
			r = val == expect ? requeue_pi(b, b2, &k, &k2, pi, nmove, &batch) : -EAGAIN;
		futex_unlock_two(b, b2);
		wake_flush(&batch);
		if (r == -EAGAIN && val == expect) /* the lock's owner exits */
			mc_yield();
	} while (r == -EAGAIN && val == expect);
	__atomic_fetch_sub(&b2->waiters, 1, __ATOMIC_RELEASE);
	return r;
}

/* ---- owners that exit ---- */

void futex_pi_owner_died(uaddr_t addr)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_waiter *w;
	struct futex_bucket *b;
	struct futex_key key;
	bool more;

	if (futex_key_of(addr, true, &key))
		return;
	b = futex_bucket(&key);
	futex_lock(b);
	w = first_waiter(b, &key, &more);
	if (w)
		futex_take(w, &batch);
	mutex_unlock(&b->lock);
	wake_flush(&batch);
}

/* Wake who waits for t in one bucket. False: there may be more. */
static bool wake_waiters_of(struct task *t, struct futex_bucket *b)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_waiter *w, *tmp;
	bool all = true;

	futex_lock(b);
	list_for_each_safe(w, tmp, &b->list, node)
		if (w->pi && w->owner == t->vtid && !futex_take(w, &batch)) {
			all = false;
			break;
		}
	mutex_unlock(&b->lock);
	wake_flush(&batch);
	return all;
}

/*
 * Locks that are on no robust list: all who wait for t try again, and one of them takes over the
 * dead owner's word.
 */
void futex_pi_task_exit(struct task *t)
{
	if (!READ_ONCE(t->owns_pi))
		return;
	t->owns_pi = false;
	for (int i = 0; i < FUTEX_BUCKETS; i++)
		while (!wake_waiters_of(t, futex_bucket_at(i)))
			;
}
