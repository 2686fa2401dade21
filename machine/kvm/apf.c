// SPDX-License-Identifier: Apache-2.0
/*
 * Pages that the host has to read first (KVM's asynchronous page faults). Without them KVM holds a vCPU that runs user code until
 * the page is there: for ever, if it lies behind the end of a file that was cut short meanwhile. With them KVM tells, once; if
 * no file has become shorter the instruction is tried again, and then waits.
 */
#include "kvm_impl.h"

#define MSR_KVM_ASYNC_PF_EN 0x4b564d02
#define MSR_KVM_ASYNC_PF_INT 0x4b564d06
#define MSR_KVM_ASYNC_PF_ACK 0x4b564d07
#define KVM_FEATURES 0x40000001
#define FEATURE_ASYNC_PF (1u << 4)
#define FEATURE_ASYNC_PF_INT (1u << 14)
#define ENABLED 9ULL /* the end of the wait is told by an interrupt; only user code is told of its begin */

/* struct kvm_vcpu_pv_apf_data of Linux' arch/x86/include/uapi/asm/kvm_para.h */
struct apf {
	u32 flags; /* 1: the page fault is one of these */
	u32 token; /* set with the interrupt; cleared by us */
	u8 pad[56];
};

static struct apf apf[KVM_MAX_CPUS] __attribute__((aligned(64)));

void apf_init(void)
{
	struct apf *mine = &apf[this_cpu()->id];
	u32 a, b, c, d;

	cpuid(KVM_FEATURES, 0, &a, &b, &c, &d);
	if (!(a & FEATURE_ASYNC_PF) || !(a & FEATURE_ASYNC_PF_INT))
		return;
	wrmsr(MSR_KVM_ASYNC_PF_INT, KVM_VEC_PAGE);
	wrmsr(MSR_KVM_ASYNC_PF_EN, ((u64)mine - KVM_TEXT + KVM_IMAGE_GPA) | ENABLED);
}

bool apf_waits(void) { return __atomic_exchange_n(&apf[this_cpu()->id].flags, 0, __ATOMIC_RELAXED) & 1; }

void apf_there(void)
{
	WRITE_ONCE(apf[this_cpu()->id].token, 0);
	wrmsr(MSR_KVM_ASYNC_PF_ACK, 1);
}
