/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h: the host calls that the hypervisor's threads may make once there is a guest. */
#ifndef CALLGATE_CALL_CONFINE_H
#define CALLGATE_CALL_CONFINE_H

#include <sys/types.h>

/*
 * To those that handling the guest's requests takes. For the calling thread and those it will make, for good. All
 * others fail with EPERM. 0 or -errno.
 */
int confine_thread(void);
/* The same for a virtual CPU's thread, which moves the guest's data, too. */
int confine_vcpu(void);

/* The same for the one that watches over the VM: it may also wait for processes, and signal vm0 and itself. */
int confine_main_thread(pid_t vm0);

#endif
