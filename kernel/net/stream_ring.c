/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data rings, the guest's end. The hypervisor is trusted here, but runs beside us: an index of its is read before the
 * bytes, one of ours is written behind them, and who waits says so before he looks for the last time.
 */
#include "stream.h"
#include "task.h"

#define ENOUGH (DATA_RING_SIZE / 4) /* room for a writer to be woken */

static struct mutex lock;
static struct stream *by_ref[DATA_RINGS] BSS_LARGE;
static u32 used[DATA_RINGS / 32] = { 1 }; /* number 0 is none */
static u32 thread_started;

/* ---- numbers and bells ---- */

static void wake_stream(u32 ref)
{
	struct stream *st;

	guard(&lock);
	st = by_ref[ref];
	if (st)
		waitq_wake_all(&st->wait, 0);
}

static void bell_thread(void *arg)
{
	for (;;)
		wake_stream(mc_data_next());
}

static int start_thread(void)
{
	if (thread_started)
		return 0;
	thread_started = kthread_create(bell_thread, NULL) != NULL;
	return thread_started ? 0 : -ENOMEM;
}

int stream_ring_get(struct stream *st)
{
	guard(&lock);
	if (st->ref)
		return 0;
	if (start_thread())
		return -ENOMEM;
	for (u32 i = 0; i < DATA_RINGS / 32; i++) {
		if (used[i] != ~0u) {
			u32 bit = (u32)__builtin_ctz(~used[i]);

			used[i] |= 1u << bit;
			st->ref = i * 32 + bit;
			by_ref[st->ref] = st;
			return 0;
		}
	}
	return -ENOBUFS;
}

void stream_ring_put(struct stream *st)
{
	guard(&lock);
	if (!st->ref)
		return;
	by_ref[st->ref] = NULL;
	used[st->ref / 32] &= ~(1u << (st->ref % 32));
	st->ref = 0;
}

void stream_ring_use(struct stream *st)
{
	st->urgents_seen = st->marks_passed = 0;
	__atomic_store_n(&st->ring, mc_data_ring(st->ref), __ATOMIC_RELEASE);
}

/* ---- what there is ---- */

u32 stream_readable(struct stream *st)
{
	return __atomic_load_n(&st->ring->in_prod, __ATOMIC_ACQUIRE) - READ_ONCE(st->ring->in_cons);
}

u32 stream_unsent(struct stream *st)
{
	return READ_ONCE(st->ring->out_prod) - __atomic_load_n(&st->ring->out_cons, __ATOMIC_SEQ_CST);
}

u32 stream_writable(struct stream *st)
{
	u32 room = DATA_RING_SIZE - stream_unsent(st);

	if (room < ENOUGH) {
		__atomic_store_n(&st->ring->out_full, 1, __ATOMIC_SEQ_CST);
		room = DATA_RING_SIZE - stream_unsent(st);
	}
	return room < ENOUGH ? 0 : room;
}

bool stream_urgent(struct stream *st)
{
	return __atomic_load_n(&st->ring->in_urgents, __ATOMIC_ACQUIRE) != READ_ONCE(st->urgents_seen);
}

u32 stream_to_mark(struct stream *st)
{
	if (__atomic_load_n(&st->ring->in_marks, __ATOMIC_ACQUIRE) == READ_ONCE(st->marks_passed))
		return ~0u;
	return READ_ONCE(st->ring->in_mark) - READ_ONCE(st->ring->in_cons);
}

/* What is read from here on lies behind the mark: urgent data that nobody wanted is gone. */
static void pass_mark(struct stream *st)
{
	u32 number = READ_ONCE(st->ring->in_marks);

	WRITE_ONCE(st->marks_passed, number);
	if ((s32)(number - st->urgents_seen) > 0)
		WRITE_ONCE(st->urgents_seen, number);
}

/* ---- bytes ---- */

static u8 *in_bytes(struct stream *st)
{
	return (u8 *)st->ring + 0x1000;
}

/* As much of `len` as lies in one piece at index i. */
static u32 in_one_piece(u32 i, u32 len)
{
	return min(len, DATA_RING_SIZE - i % DATA_RING_SIZE);
}

s64 stream_take(struct stream *st, struct uio *u, u32 flags)
{
	u32 at = READ_ONCE(st->ring->in_cons);
	u32 want = (u32)min((u64)stream_readable(st), (u64)u->resid), mark = stream_to_mark(st), left;
	struct uio peek = *u, *to = flags & MSG_PEEK ? &peek : u;

	if (mark) /* a read ends there */
		want = min(want, mark);
	left = want;
	while (left && !(flags & MSG_TRUNC)) { /* which throws away */
		u32 n = in_one_piece(at, left);
		s64 done = uio_put(to, in_bytes(st) + at % DATA_RING_SIZE, n);

		if (done <= 0)
			break;
		at += (u32)done;
		left -= (u32)done;
		if (done < (s64)n)
			break;
	}
	if (flags & MSG_TRUNC)
		left = 0;
	if (left == want && want)
		return -EFAULT;
	if (flags & MSG_PEEK)
		return want - left;
	if (!mark)
		pass_mark(st);
	__atomic_store_n(&st->ring->in_cons, READ_ONCE(st->ring->in_cons) + want - left, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&st->ring->in_full, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&st->ring->in_full, 0, __ATOMIC_SEQ_CST))
		mc_data_bell(st->ref);
	return want - left;
}

s64 stream_put(struct stream *st, struct uio *u)
{
	u32 start = st->ring->out_prod, at = start;
	u32 left = (u32)min((u64)(DATA_RING_SIZE - stream_unsent(st)), (u64)u->resid);

	while (left) {
		u32 n = in_one_piece(at, left);
		s64 done = uio_get(u, in_bytes(st) + DATA_RING_SIZE + at % DATA_RING_SIZE, n);

		if (done <= 0 && at == start)
			return -EFAULT;
		if (done <= 0)
			break;
		at += (u32)done;
		left -= (u32)done;
	}
	if (at != start) {
		__atomic_store_n(&st->ring->out_prod, at, __ATOMIC_RELEASE);
		mc_data_bell(st->ref);
	}
	return at - start;
}
