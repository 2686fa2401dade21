/* SPDX-License-Identifier: Apache-2.0 */
/* The machines that the guest kernel runs on. */
#ifndef CALLGATE_VM_MACHINE_H
#define CALLGATE_VM_MACHINE_H

enum machine {
	MACHINE_PV,  /* guest processes are processes of the host, and the kernel is in each */
	MACHINE_KVM, /* one VM, by the host's KVM */
};

#endif
