/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of the futex.
 *
 * A waiter lives on its sleeper's stack and is on the list of its key's bucket until a waker
 * takes it off, which sets waiter.bucket to NULL as its last access to it; from then on the
 * sleeper may return. The waker still has to unpark the task: wake_refs, which the task waits for
 * at its exit, keeps it in existence so long. Nobody is unparked under a bucket's lock.
 */
#ifndef TASK_FUTEX_H
#define TASK_FUTEX_H

#include <linux/futex.h>

#include "mm.h"
#include "task.h"

struct futex_bucket {
	struct mutex lock;
	u32 waiters; /* on the list, or on their way to it: 0 spares a waker the lock */
	struct list_head list;
};

struct futex_waiter {
	struct list_head node;
	struct futex_key key;
	struct futex_bucket *bucket; /* where it is queued; NULL: woken */
	struct task *task;
	u32 bitset;
	bool pi;
	bool to_pi;   /* waits to be moved to the PI futex key2, which makes it a waiter of that */
	struct futex_key key2;
	bool granted; /* PI: the waker made this task the owner */
	int owner;    /* PI: the tid waited for */
};

#define FUTEX_BUCKETS 256
struct futex_bucket *futex_bucket_at(int i);
int futex_key_of(uaddr_t addr, bool shared, struct futex_key *key);
struct futex_bucket *futex_bucket(const struct futex_key *key);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
/*
 * Announce a waiter (before the user's word is read) and lock; or take the announcement back and
 * unlock.
 */
struct futex_bucket *futex_wait_lock(const struct futex_key *key);
void futex_wait_unlock(struct futex_bucket *b);
void futex_lock(struct futex_bucket *b);
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w);
/* Take w off its list. False: a waker was faster. */
bool futex_unqueue(struct futex_waiter *w);
/* Bucket locked: take w off the list, to be unparked by wake_flush. False: the batch is full. */
bool futex_take(struct futex_waiter *w, struct wake_batch *batch);
/* For what concerns two words. */
int futex_two_keys(uaddr_t addr, uaddr_t addr2, bool shared, struct futex_key *k, struct futex_key *k2);
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_move(struct futex_waiter *w, struct futex_bucket *to, const struct futex_key *key); /* both locked */
/* Queue w if the word still is val: 0, -EAGAIN, -EFAULT, -EINVAL. */
int futex_wait_prepare(struct futex_waiter *w, uaddr_t addr, bool shared, u32 val);
/* Sleep until w is woken. 0 or why not: -ETIMEDOUT, -EINTR (w may have been woken all the same). */
int futex_sleep(struct futex_waiter *w, u64 deadline);
long futex_wake(uaddr_t addr, bool shared, u32 n, u32 bitset);

/* ---- futex_pi.c ---- */
long futex_lock_pi(uaddr_t addr, bool shared, u64 deadline, bool try);
long futex_unlock_pi(uaddr_t addr, bool shared);
long futex_wait_requeue_pi(uaddr_t addr, bool shared, u32 val, u64 deadline, uaddr_t pi);
long futex_cmp_requeue_pi(uaddr_t addr, uaddr_t pi, bool shared, u32 nwake, u32 nmove, u32 expect);
/* The owner of the word is gone: let a waiter try again. */
void futex_pi_owner_died(uaddr_t addr);
void futex_pi_task_exit(struct task *t);

#endif
