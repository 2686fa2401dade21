// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks. KVM keeps a page for each CPU by which its time stamp counter becomes the VM's clock (kvmclock); how far
 * the host's clocks are ahead of that, the hypervisor says.
 */
#include <linux/time.h>

#include "kvm_impl.h"

#define CLOCKS 12
#define REFRESH NSEC_PER_SEC /* CLOCK_REALTIME may be set, and is slewed */
#define SAME_ON_ALL 1u /* kvm_time.flags: PVCLOCK_TSC_STABLE_BIT */

static s64 ahead[CLOCKS];
static u64 asked_at;
static struct spinlock ask_lock;

/* Where time stamp counters are not the same, each CPU has a clock of its own, nearly: none goes back behind what another has told. */
static u64 not_back(u64 ns)
{
	static u64 latest;
	u64 was = __atomic_load_n(&latest, __ATOMIC_RELAXED);

	while (was < ns)
		if (__atomic_compare_exchange_n(&latest, &was, ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return ns;
	return was;
}

static u64 vm_clock(void)
{
	const struct kvm_time *t = &this_cpu()->call->time;
	u64 delta, ns;
	u32 version, a, d;
	u8 flags;

	do {
		version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
		__asm__ volatile("lfence; rdtsc" : "=a"(a), "=d"(d) : : "memory");
		delta = ((u64)d << 32 | a) - t->tsc;
		delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
		ns = t->system_time + (u64)((unsigned __int128)delta * t->mul >> 32);
		flags = t->flags;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version & 1 || version != READ_ONCE(t->version));
	return likely(flags & SAME_ON_ALL) ? ns : not_back(ns);
}

static bool may_be_set(u32 clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

/*
 * The VM's clock is asked for last: time that passes meanwhile makes the difference too small, never too large. So clocks that
 * must not go back take what is larger only.
 */
static void ask(void)
{
	struct kvm_call *k = call_begin();
	u32 i;

	spin_lock(&ask_lock);
	if (call_make(KVM_CALL_CLOCKS) == 0) {
		for (i = 0; i < CLOCKS; i++) {
			s64 is = (s64)(k->u.clocks.clock[i] - k->u.clocks.now);

			if (!asked_at || may_be_set(i) || is > ahead[i])
				WRITE_ONCE(ahead[i], is);
		}
		WRITE_ONCE(asked_at, k->u.clocks.now);
	}
	spin_unlock(&ask_lock);
}

void clock_init(void) { ask(); }

u64 clock_now(void) { return vm_clock() + (u64)READ_ONCE(ahead[CLOCK_MONOTONIC]); }

u64 mc_clock(int clock)
{
	u64 now = vm_clock();

	if ((u32)clock >= CLOCKS)
		return 0;
	if ((clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI) &&
	    (s64)(now - READ_ONCE(asked_at)) > (s64)REFRESH) {
		ask();
		now = vm_clock();
	}
	return now + (u64)READ_ONCE(ahead[clock]);
}
