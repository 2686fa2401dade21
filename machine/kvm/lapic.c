// SPDX-License-Identifier: Apache-2.0
/* The local interrupt controller, which the host kernel has (x2APIC: by model specific registers), and its timer. */
#include "kvm_impl.h"

#define X2APIC_EOI 0x80b
#define X2APIC_ICR 0x830
#define X2APIC_TIMER_INIT 0x838
#define TIMER_MAX 4000000000ULL /* KVM's bus runs at 1 GHz: ns in 32 bits */

void lapic_eoi(void)
{
	struct cpu *c = this_cpu();
	u8 was;

	/* KVM looks at it only while this CPU does not run: one instruction, but no lock */
	__asm__ volatile("btrl $0, %0; setc %1" : "+m"(c->call->no_eoi), "=q"(was) : : "memory", "cc");
	if (was)
		return;
	c->call->eois++;
	wrmsr(X2APIC_EOI, 0);
}

void lapic_send(u32 cpu, u32 vector)
{
	this_cpu()->call->kicks++;
	wrmsr(X2APIC_ICR, (u64)cpu << 32 | vector);
}

/* Each setting is an exit: one that fires too early and is set anew costs less than one for every deadline. */
void timer_set(u64 deadline)
{
	struct cpu *c = this_cpu();
	u64 now, left;

	if (deadline >= c->timer)
		return;
	now = clock_now();
	left = deadline > now ? deadline - now : 1;
	c->timer = deadline;
	c->call->timers++;
	wrmsr(X2APIC_TIMER_INIT, clamp(left, 1ULL, TIMER_MAX));
}
