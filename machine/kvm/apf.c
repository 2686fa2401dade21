// SPDX-License-Identifier: Apache-2.0
/*
 * Pages that the host has to read first (KVM's asynchronous page faults). Without them KVM holds a vCPU that runs user code until
 * the page is there: for ever, if it lies behind the end of a file that was cut short meanwhile. With them KVM tells, once; if
 * no file has become shorter the instruction is tried again, and then waits.
 */
#include "kvm_impl.h"

#define MSR_KVM_ASYNC_PF_ACK 0x4b564d07

bool apf_waits(void) { return __atomic_exchange_n(&this_cpu()->call->apf.flags, 0, __ATOMIC_RELAXED) & 1; }

void apf_there(void)
{
	WRITE_ONCE(this_cpu()->call->apf.token, 0);
	wrmsr(MSR_KVM_ASYNC_PF_ACK, 1);
}
