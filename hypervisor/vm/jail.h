/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail of guest processes: namespaces with nothing in them, no capabilities, no new
 * privileges, another user, and four descriptors. vm0 is born in it and all guest
 * processes are its descendants. The seccomp filter is added by the guest kernel image itself, first thing.
 */
#ifndef CALLGATE_VM_JAIL_H
#define CALLGATE_VM_JAIL_H

#include <sys/types.h>

struct jail_fds {
	int image, mem, ring, chan; /* become KFD_IMAGE ... KFD_CHAN */
};

/* Exit statuses of a vm0 that did not get as far as the guest kernel. */
enum {
	JAIL_EXIT_FIRST = 110,
	JAIL_EXIT_MOUNT = 110,
	JAIL_EXIT_USER,
	JAIL_EXIT_FDS,
	JAIL_EXIT_PRIVILEGES,
	JAIL_EXIT_EXEC,
	JAIL_EXIT_NAMESPACES,
};

/*
 * The user and group that guest processes are for the host: one for each VM, made of its hypervisor's
 * pid, in a range that nobody else hands out (systemd's UIDS-GIDS.md: 0x70000000 and up are unused).
 * Inside a user namespace that has no such ids, this one.
 */
#define JAIL_UID_BASE   0x70000000u
#define JAIL_UID_INSIDE 65534u

/*
 * Starts vm0 as that user, or what there is. Its pid and a pidfd, or -errno. The caller must be single-threaded.
 * keep: of CLONE_NEWIPC and CLONE_NEWUTS, the caller's namespaces in which there is nobody but its container.
 */
pid_t jail_spawn(const struct jail_fds *fds, uid_t user, int keep, int *pidfd);

/*
 * The hypervisor's own part, for the calling thread: drops every capability but those that serving PV calls takes. 0 or -errno.
 * jail_hypervisor_for_listener() leaves what it takes to get the listener of vm0's filter; the other has to follow.
 */
int jail_hypervisor(void);
int jail_hypervisor_for_listener(void);

#endif
