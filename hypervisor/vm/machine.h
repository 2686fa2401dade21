/* SPDX-License-Identifier: Apache-2.0 */
/* The machines that the guest kernel runs on. */
#ifndef CALLGATE_VM_MACHINE_H
#define CALLGATE_VM_MACHINE_H

#include <stddef.h>

enum machine {
	MACHINE_PV,  /* guest processes are processes of the host, and the kernel is in each */
	MACHINE_KVM, /* one VM, by the host's KVM */
	MACHINE_AUTO, /* a wish: kvm where that can be used, else pv */
};

const char *machine_name(enum machine m);
/* The one to use, and why in `reason`: "asked for", or what speaks against kvm. */
enum machine machine_choose(enum machine wanted, char *reason, size_t size);

#endif
