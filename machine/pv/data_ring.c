// SPDX-License-Identifier: Apache-2.0
/* Data rings: where they are, and the bells of both sides (ring.h). */
#include "hostcall.h"

bool mc_data_rings(void) { return RING->features & RING_F_DATA_RINGS; }

struct data_ring *mc_data_ring(u32 ref)
{
	BUG_ON(!ref || ref >= DATA_RINGS);
	return (struct data_ring *)(KRING_BASE + DATA_RINGS_OFF + (u64)ref * DATA_RING_STRIDE);
}

void mc_data_bell(u32 ref)
{
	u32 bit = 1u << (ref % 32);

	if (__atomic_fetch_or(&RING->host_work[ref / 32], bit, __ATOMIC_SEQ_CST) & bit)
		return; /* it has not looked yet */
	__atomic_fetch_add(&RING->host_bells, 1, __ATOMIC_SEQ_CST);
	pv_doorbell();
}

static u32 take_one(void)
{
	u32 i, bit;

	for (i = 0; i < DATA_RINGS / 32; i++) {
		if (!__atomic_load_n(&RING->guest_work[i], __ATOMIC_RELAXED))
			continue;
		bit = (u32)__builtin_ctz(RING->guest_work[i]);
		__atomic_fetch_and(&RING->guest_work[i], ~(1u << bit), __ATOMIC_SEQ_CST);
		return i * 32 + bit;
	}
	return 0;
}

u32 mc_data_next(void)
{
	for (;;) {
		u32 seen = __atomic_load_n(&RING->guest_bells, __ATOMIC_SEQ_CST), ref = take_one();

		if (ref)
			return ref;
		mc_lock_wait(&RING->guest_bells, seen);
	}
}
