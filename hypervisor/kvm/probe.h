/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h: is the host's KVM one that the kvm machine can use? */
#ifndef CALLGATE_KVM_PROBE_H
#define CALLGATE_KVM_PROBE_H

#include <linux/kvm.h>

#include "lib/error.h"

#define KVM_CPUID_MAX 256

/* What the guest's CPUs can have; the caller frees it. NULL: errno. */
struct kvm_cpuid2 *kvm_supported_cpuid(int kvm_fd);
/* Has it all that the guest kernel uses? 0, or -errno with what is missing. */
int must_check kvm_check_cpuid(const struct kvm_cpuid2 *id, struct error *err);

#endif
