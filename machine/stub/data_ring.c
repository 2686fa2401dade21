/* SPDX-License-Identifier: Apache-2.0 */
/* Data rings: where they are, and the bells of both sides (ring.h). */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stub_impl.h"

bool mc_data_rings(void)
{
	return stub_ring->features & RING_F_DATA_RINGS;
}

struct data_ring *mc_data_ring(u32 ref)
{
	STUB_CHECK(ref && ref < DATA_RINGS);
	return (struct data_ring *)((u8 *)stub_ring + DATA_RINGS_OFF + (size_t)ref * DATA_RING_STRIDE);
}

void mc_data_bell(u32 ref)
{
	struct ring_header *r = stub_ring;
	u32 one = 1;

	__atomic_fetch_or(&r->host_work[ref / 32], 1u << (ref % 32), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&r->host_bells, 1, __ATOMIC_SEQ_CST);
	if (__atomic_compare_exchange_n(&r->sleeping, &one, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &r->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
}

u32 mc_data_next(void)
{
	struct ring_header *r = stub_ring;

	for (;;) {
		u32 seen = __atomic_load_n(&r->guest_bells, __ATOMIC_SEQ_CST);

		for (u32 ref = 1; ref < DATA_RINGS; ref++) {
			u32 bit = 1u << (ref % 32);

			if (__atomic_fetch_and(&r->guest_work[ref / 32], ~bit, __ATOMIC_SEQ_CST) & bit)
				return ref;
		}
		syscall(SYS_futex, &r->guest_bells, FUTEX_WAIT, seen, NULL, NULL, 0);
	}
}
