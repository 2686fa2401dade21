// SPDX-License-Identifier: Apache-2.0
/* The local interrupt controller, which the host kernel has (x2APIC: by model specific registers), and its timer. */
#include "kvm_impl.h"

#define X2APIC_TPR 0x808
#define X2APIC_EOI 0x80b
#define X2APIC_SVR 0x80f
#define X2APIC_ICR 0x830
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_TIMER_INIT 0x838
#define X2APIC_TIMER_DIVIDE 0x83e
#define DIVIDE_BY_1 0xb
#define TIMER_MAX 4000000000ULL /* KVM's bus runs at 1 GHz: ns in 32 bits */

void lapic_init(void)
{
	wrmsr(X2APIC_TPR, 0);
	wrmsr(X2APIC_SVR, 0x100 | KVM_VEC_SPURIOUS);
	wrmsr(X2APIC_LVT_TIMER, KVM_VEC_TIMER); /* one-shot */
	wrmsr(X2APIC_TIMER_DIVIDE, DIVIDE_BY_1);
}

void lapic_eoi(void) { wrmsr(X2APIC_EOI, 0); }

void lapic_send(u32 cpu, u32 vector) { wrmsr(X2APIC_ICR, (u64)cpu << 32 | vector); }

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
	wrmsr(X2APIC_TIMER_INIT, clamp(left, 1ULL, TIMER_MAX));
}
