/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use which slot of ring.h's ring: for machines whose threads meet only in memory and by mc_lock_wait(). */
#ifndef MACHINE_RING_SLOTS_H
#define MACHINE_RING_SLOTS_H

#include "machine.h"
#include "ring.h"

struct ring_slots {
	u64 free;    /* a bit for each slot */
	u32 waiters; /* threads that found none */
	u32 event;   /* advanced where there are waiters and a slot has become free */
};
_Static_assert(RING_SLOTS == 64, "free is one u64");

static inline u8 *ring_slot_buf(struct ring_header *ring, u32 index)
{
	return (u8 *)ring + RING_DATA_OFF + (u64)index * RING_BUF_SIZE;
}

static inline bool ring_slot_take(struct ring_slots *r, u32 *index)
{
	u64 have = __atomic_load_n(&r->free, __ATOMIC_RELAXED);

	while (have) {
		u32 i = (u32)__builtin_ctzll(have);

		if (__atomic_compare_exchange_n(&r->free, &have, have & ~(1ULL << i), false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED)) {
			*index = i;
			return true;
		}
	}
	return false;
}

/* mc_pv_get(): waits for a slot. */
static inline void ring_slot_get(struct ring_slots *r, struct ring_header *ring, struct pv_slot *s)
{
	while (!ring_slot_take(r, &s->index)) {
		u32 seen = __atomic_load_n(&r->event, __ATOMIC_SEQ_CST);

		__atomic_fetch_add(&r->waiters, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&r->free, __ATOMIC_SEQ_CST))
			mc_lock_wait(&r->event, seen);
		__atomic_fetch_sub(&r->waiters, 1, __ATOMIC_SEQ_CST);
	}
	s->buf = ring_slot_buf(ring, s->index);
}

/* mc_pv_put() */
static inline void ring_slot_put(struct ring_slots *r, const struct pv_slot *s)
{
	__atomic_fetch_or(&r->free, 1ULL << s->index, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->waiters, __ATOMIC_SEQ_CST)) {
		__atomic_fetch_add(&r->event, 1, __ATOMIC_SEQ_CST);
		mc_lock_wake(&r->event, 1);
	}
}

#endif
