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
#define KVM_FEATURES 0x40000001
#define FEATURE_PV_EOI (1u << 6)
#define MSR_KVM_PV_EOI 0x4b564d04
#define TIMER_MAX 4000000000ULL /* KVM's bus runs at 1 GHz: ns in 32 bits */

/* KVM sets it where it need not be told of an interrupt's end. */
static struct no_eoi {
	u32 flag;
	u8 pad[60];
} no_eoi[KVM_MAX_CPUS] __attribute__((aligned(64)));

void lapic_init(void)
{
	u32 a, b, c, d;

	wrmsr(X2APIC_TPR, 0);
	wrmsr(X2APIC_SVR, 0x100 | KVM_VEC_SPURIOUS);
	wrmsr(X2APIC_LVT_TIMER, KVM_VEC_TIMER); /* one-shot */
	wrmsr(X2APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	cpuid(KVM_FEATURES, 0, &a, &b, &c, &d);
	if (a & FEATURE_PV_EOI)
		wrmsr(MSR_KVM_PV_EOI, ((u64)&no_eoi[this_cpu()->id] - KVM_TEXT + KVM_IMAGE_GPA) | 1);
}

void lapic_eoi(void)
{
	struct cpu *c = this_cpu();
	u8 was;

	/* KVM looks at it only while this CPU does not run: one instruction, but no lock */
	__asm__ volatile("btrl $0, %0; setc %1" : "+m"(no_eoi[c->id].flag), "=q"(was) : : "memory", "cc");
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
