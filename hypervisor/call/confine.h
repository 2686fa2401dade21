/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h: the host calls that the hypervisor's threads may make once there is a guest. */
#ifndef CALLGATE_CALL_CONFINE_H
#define CALLGATE_CALL_CONFINE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

enum confine_kind {
	CONFINE_SERVER,
	CONFINE_SCHEDULER, /* a server's that may also say how the guest's threads are scheduled */
	CONFINE_VCPU,
	CONFINE_MAIN,
};

struct confine_program {
	struct sock_filter insn[512];
	unsigned short len;
};

/*
 * To those that handling the guest's requests takes. For the calling thread and those it will make, for good. All
 * others fail with EPERM. 0 or -errno.
 */
int confine_thread(bool schedules);
/* The same for a virtual CPU's thread, which moves the guest's data, too. */
int confine_vcpu(void);

/* The same for the one that watches over the VM: it may also wait for processes, and signal vm0 and itself. */
int confine_main_thread(pid_t vm0);

/* The filter that they install. vm0: of CONFINE_MAIN; 0: there is none. */
void confine_filter(struct confine_program *p, enum confine_kind kind, pid_t vm0);

#endif
