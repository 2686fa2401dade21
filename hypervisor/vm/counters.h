/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest did: for `callgate debug syscalls`. It may lie in memory the guest writes:
 * the numbers are shown, never relied upon.
 */
#ifndef CALLGATE_VM_COUNTERS_H
#define CALLGATE_VM_COUNTERS_H

#include <stdint.h>

#define VM_COUNTED_SYSCALLS 512

struct vm_counters {
	uint64_t local[VM_COUNTED_SYSCALLS];   /* served by the guest kernel alone */
	uint64_t proxied[VM_COUNTED_SYSCALLS]; /* needed PV calls or donated descriptors */
	uint64_t missing[VM_COUNTED_SYSCALLS]; /* answered ENOSYS */
	uint64_t host_calls;                   /* hypercalls of all guest processes */
	uint64_t pv_calls;                     /* requests to the hypervisor */
	uint64_t cpuid_served, cpuid_executed; /* cpuid instructions of programs that the guest kernel answered by itself; that it executed */
};

#endif
