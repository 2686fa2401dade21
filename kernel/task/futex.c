// SPDX-License-Identifier: Apache-2.0
/* Futexes: buckets of waiters, and the operations but for the PI ones (futex_pi.c). */
#include "futex.h"

#include "ktime.h"
#include "syscall.h"
#include "trace_hook.h"

static struct futex_bucket buckets[FUTEX_BUCKETS];

/* ---- keys and buckets ---- */

int futex_key_of(uaddr_t addr, bool shared, struct futex_key *key)
{
	struct mm *mm = current->mm;

	if (addr & 3)
		return -EINVAL;
	if (addr >= USER_END)
		return -EFAULT;
	if (shared)
		return mm_futex_key(mm, addr, key);
	/* What mm_futex_key says of a private mapping, without its lock. */
	*key = (struct futex_key){ mm->id, addr, 0 };
	return 0;
}

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->a == b->a && a->b == b->b && a->c == b->c;
}

struct futex_bucket *futex_bucket(const struct futex_key *k)
{
	return &buckets[hash_u64(k->a ^ hash_u64(k->b ^ (k->c << 20))) % FUTEX_BUCKETS];
}

struct futex_bucket *futex_bucket_at(int i)
{
	return &buckets[i];
}

void futex_lock(struct futex_bucket *b)
{
	mutex_lock(&b->lock);
	if (unlikely(!b->list.next))
		list_init(&b->list);
}

struct futex_bucket *futex_wait_lock(const struct futex_key *key)
{
	struct futex_bucket *b = futex_bucket(key);

	/* Before the word is read: the waker changes the word and then reads the count. */
	__atomic_fetch_add(&b->waiters, 1, __ATOMIC_SEQ_CST);
	futex_lock(b);
	return b;
}

void futex_wait_unlock(struct futex_bucket *b)
{
	mutex_unlock(&b->lock);
	__atomic_fetch_sub(&b->waiters, 1, __ATOMIC_RELEASE);
}

static bool nobody_waits(struct futex_bucket *b)
{
	smp_mb();
	return READ_ONCE(b->waiters) == 0;
}

void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	w->task = current;
	w->bucket = b;
	list_add_tail(&w->node, &b->list);
}

bool futex_unqueue(struct futex_waiter *w)
{
	struct futex_bucket *b;

	while ((b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE))) {
		mutex_lock(&b->lock);
		if (w->bucket == b) {
			list_del(&w->node);
			futex_wait_unlock(b);
			return true;
		}
		mutex_unlock(&b->lock); /* requeued or woken meanwhile */
	}
	return false;
}

/* ---- waking ---- */

bool futex_take(struct futex_waiter *w, struct wake_batch *batch)
{
	if (!wake_add(batch, w->task, false))
		return false;
	list_del(&w->node);
	__atomic_fetch_sub(&w->bucket->waiters, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_RELEASE);
	return true;
}

/*
 * Wake up to n. Bucket locked. Count, or -EINVAL if a PI waiter is among them; *full: flush and
 * call again.
 */
static long wake_some(struct futex_bucket *b, const struct futex_key *key, u32 n, u32 bitset,
		      struct wake_batch *batch, bool *full)
{
	struct futex_waiter *w, *tmp;
	long woken = 0;

	*full = false;
	list_for_each_safe(w, tmp, &b->list, node) {
		if (woken >= (long)n)
			break;
		if (!futex_key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		if (w->pi || w->to_pi)
			return -EINVAL;
		if (!futex_take(w, batch)) {
			*full = true;
			break;
		}
		woken++;
	}
	return woken;
}

/* Not part of futex_wake(): most wake nobody, and shall not pay for the batch. */
static __attribute__((noinline)) long wake_them(struct futex_bucket *b, const struct futex_key *key, u32 n, u32 bitset)
{
	struct wake_batch batch = { .n = 0 };
	long woken = 0, r;
	bool full;

	do {
		futex_lock(b);
		r = wake_some(b, key, n - (u32)woken, bitset, &batch, &full);
		mutex_unlock(&b->lock);
		wake_flush(&batch);
		woken += max(r, 0L);
	} while (full && r >= 0);
	return r < 0 && !woken ? r : woken;
}

long futex_wake(uaddr_t addr, bool shared, u32 n, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_key_of(addr, shared, &key);
	if (err)
		return err;
	b = futex_bucket(&key);
	return nobody_waits(b) ? 0 : wake_them(b, &key, n, bitset);
}

/* ---- waiting ---- */

int futex_sleep(struct futex_waiter *w, u64 deadline)
{
	struct task *t = w->task;
	int err = 0;

	t->futex_waits++;
	while (__atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE)) {
		if (READ_ONCE(t->mc.work))
			return -EINTR;
		if (err == -ETIMEDOUT)
			return err;
		trace_may_sleep();
		err = mc_park(deadline);
	}
	return 0;
}

int futex_wait_prepare(struct futex_waiter *w, uaddr_t addr, bool shared, u32 val)
{
	struct futex_bucket *b;
	u32 now;
	int err = futex_key_of(addr, shared, &w->key);

	if (err)
		return err;
	b = futex_wait_lock(&w->key);
	err = mc_user_load(addr, &now);
	if (!err && now != val)
		err = -EAGAIN;
	if (err) {
		futex_wait_unlock(b);
		return err;
	}
	futex_enqueue(b, w);
	mutex_unlock(&b->lock);
	return 0;
}

/* arg: address, shared, value, deadline, bitset */
static long wait_again(struct restart *r);

static long futex_wait(uaddr_t addr, bool shared, u32 val, u64 deadline, u32 bitset)
{
	struct futex_waiter w = { .bitset = bitset };
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_wait_prepare(&w, addr, shared, val);
	if (err)
		return err;
	err = futex_sleep(&w, deadline);
	if (!err || !futex_unqueue(&w))
		return 0;
	if (err == -ETIMEDOUT)
		return err;
	if (deadline == MC_FOREVER)
		return -ERESTARTSYS;
	current->restart = (struct restart){ .fn = wait_again,
					     .arg = { addr, shared, val, deadline, bitset } };
	return -ERESTART_RESTARTBLOCK;
}

static long wait_again(struct restart *r)
{
	return futex_wait(r->arg[0], r->arg[1], (u32)r->arg[2], r->arg[3], (u32)r->arg[4]);
}

/* ---- two words: requeue, wake_op ---- */

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	futex_lock(a < b ? a : b);
	if (a != b)
		futex_lock(a < b ? b : a);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

int futex_two_keys(uaddr_t addr, uaddr_t addr2, bool shared, struct futex_key *k, struct futex_key *k2)
{
	int err = futex_key_of(addr, shared, k);

	return err ? err : futex_key_of(addr2, shared, k2);
}

void futex_move(struct futex_waiter *w, struct futex_bucket *to, const struct futex_key *key)
{
	struct futex_bucket *from = w->bucket;

	w->key = *key;
	list_del(&w->node);
	list_add_tail(&w->node, &to->list);
	__atomic_fetch_add(&to->waiters, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&from->waiters, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
}

/* Both buckets locked. Adds to *done what it could; *full as in wake_some. */
static int requeue_some(struct futex_bucket *b, struct futex_bucket *b2, const struct futex_key *k,
			const struct futex_key *k2, u32 *nwake, u32 *nmove,
			struct wake_batch *batch, bool *full)
{
	struct futex_waiter *w, *tmp;
	int done = 0;

	*full = false;
	list_for_each_safe(w, tmp, &b->list, node) {
		if (!futex_key_equal(&w->key, k))
			continue;
		if (w->pi || w->to_pi)
			return -EINVAL;
		if (*nwake) {
			if (!futex_take(w, batch)) {
				*full = true;
				break;
			}
			--*nwake;
		} else if (*nmove) {
			if (futex_key_equal(k, k2))
				break; /* to where they are: it would never end */
			futex_move(w, b2, k2);
			--*nmove;
		} else {
			break;
		}
		done++;
	}
	return done;
}

static long futex_requeue(uaddr_t addr, uaddr_t addr2, bool shared, u32 nwake, u32 nmove,
			  const u32 *expect)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_bucket *b, *b2;
	struct futex_key k, k2;
	long done = 0;
	bool full = false;
	u32 val;
	int r;

	if ((int)nwake < 0 || (int)nmove < 0)
		return -EINVAL;
	r = futex_two_keys(addr, addr2, shared, &k, &k2);
	if (r)
		return r;
	b = futex_bucket(&k);
	b2 = futex_bucket(&k2);
	/* Those who are moved are announced at the new place before a waker can look there. */
	__atomic_fetch_add(&b2->waiters, 1, __ATOMIC_SEQ_CST);
	do {
		futex_lock_two(b, b2);
		r = 0;
		if (expect && !done) {
			r = mc_user_load(addr, &val);
			if (!r && val != *expect)
				r = -EAGAIN;
		}
		if (!r)
			r = requeue_some(b, b2, &k, &k2, &nwake, &nmove, &batch, &full);
		futex_unlock_two(b, b2);
		wake_flush(&batch);
		done += max(r, 0);
	} while (full && r >= 0);
	__atomic_fetch_sub(&b2->waiters, 1, __ATOMIC_RELEASE);
	return r < 0 && !done ? r : done;
}

static int sign_extend12(u32 x)
{
	return (int)(x << 20) >> 20;
}

static int op_result(u32 op, u32 old, u32 arg, u32 *new)
{
	switch (op) {
	case FUTEX_OP_SET:
		*new = arg;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + arg;
		return 0;
	case FUTEX_OP_OR:
		*new = old | arg;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~arg;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ arg;
		return 0;
	default:
		return -ENOSYS;
	}
}

static int op_compare(u32 cmp, int old, int arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return old < arg;
	case FUTEX_OP_CMP_LE:
		return old <= arg;
	case FUTEX_OP_CMP_GT:
		return old > arg;
	case FUTEX_OP_CMP_GE:
		return old >= arg;
	default:
		return -ENOSYS;
	}
}

/*
 * Do the encoded operation on the word at addr. 1: the comparison with the old value holds, 0: not;
 * or -errno.
 */
static int do_op(uaddr_t addr, u32 code)
{
	u32 op = code >> 28 & 7, cmp = code >> 24 & 15, arg = (u32)sign_extend12(code >> 12);
	u32 old, seen;
	int err = mc_user_load(addr, &old);

	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	for (; !err; old = seen) {
		u32 new;

		err = op_result(op, old, arg, &new);
		if (!err)
			err = mc_user_cmpxchg(addr, old, new, &seen);
		if (!err && seen == old)
			return op_compare(cmp, (int)old, sign_extend12(code));
	}
	return err;
}

static long futex_wake_op(uaddr_t addr, uaddr_t addr2, bool shared, u32 n, u32 n2, u32 code)
{
	struct wake_batch batch = { .n = 0 };
	struct futex_bucket *b, *b2;
	struct futex_key k, k2;
	bool full = false, full2 = false;
	long woken = 0, r2 = 0;
	int r = futex_two_keys(addr, addr2, shared, &k, &k2);

	if (r)
		return r;
	b = futex_bucket(&k);
	b2 = futex_bucket(&k2);
	futex_lock_two(b, b2);
	r = do_op(addr2, code);
	if (r >= 0)
		woken = wake_some(b, &k, n, FUTEX_BITSET_MATCH_ANY, &batch, &full);
	if (r > 0 && woken >= 0 && !full)
		r2 = wake_some(b2, &k2, n2, FUTEX_BITSET_MATCH_ANY, &batch, &full2);
	futex_unlock_two(b, b2);
	wake_flush(&batch);
	if (r < 0 || woken < 0 || r2 < 0)
		return r < 0 ? r : woken < 0 ? woken : r2;
	/* More than a batch: the rest in plain wakes. */
	if (full)
		woken += futex_wake(addr, shared, n - (u32)woken, FUTEX_BITSET_MATCH_ANY);
	if (r > 0 && (full || full2))
		r2 += futex_wake(addr2, shared, n2 - (u32)r2, FUTEX_BITSET_MATCH_ANY);
	return woken + r2;
}

/* ---- the system call ---- */

static bool takes_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
	       cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

static int get_deadline(int cmd, int op, uaddr_t timeout, u64 *deadline)
{
	bool real = (op & FUTEX_CLOCK_REALTIME) || cmd == FUTEX_LOCK_PI;
	int clock = real ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	u64 ns;
	int err;

	*deadline = MC_FOREVER;
	if (!timeout || !takes_timeout(cmd))
		return 0;
	err = get_timespec(timeout, &ns);
	if (!err)
		*deadline = deadline_of(clock, ns, cmd != FUTEX_WAIT);
	return err;
}

static bool realtime_allowed(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

long sys_futex(u64 addr, u64 op_arg, u64 val, u64 timeout, u64 addr2, u64 val3)
{
	int op = (int)op_arg, cmd = op & FUTEX_CMD_MASK;
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	u32 expect = (u32)val3, n2 = (u32)timeout;
	u64 deadline;
	int err;

	if (op & FUTEX_CLOCK_REALTIME && !realtime_allowed(cmd))
		return -ENOSYS;
	err = get_deadline(cmd, op, timeout, &deadline);
	if (err)
		return err;
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(addr, shared, (u32)val, deadline, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait(addr, shared, (u32)val, deadline, (u32)val3);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, max((u32)val, 1u), FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, max((u32)val, 1u), (u32)val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, shared, (u32)val, n2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, shared, (u32)val, n2, &expect);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, (u32)val, n2, (u32)val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(addr, shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(addr, shared, deadline, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(addr, shared, (u32)val, deadline, addr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(addr, addr2, shared, (u32)val, n2, expect);
	default:
		return -ENOSYS;
	}
}
