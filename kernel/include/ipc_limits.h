/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of System V IPC, as /proc/sys/kernel and linux.sysctl set them: proc_sys_kernel(5). */
#ifndef IPC_LIMITS_H
#define IPC_LIMITS_H

#include "kernel.h"

#define IPC_MNI_MAX 32768 /* objects of a kind, at most */

enum sem_limit { SEM_LIMIT_MSL, SEM_LIMIT_MNS, SEM_LIMIT_OPM, SEM_LIMIT_MNI, SEM_LIMITS };

/* Read and set without a lock: each is a number of its own. */
struct ipc_limits {
	u64 shmmax, shmall; /* bytes of a segment, pages of all of them */
	s64 shmmni, shm_rmid_forced;
	s64 msgmax, msgmnb, msgmni;
	s64 sem[SEM_LIMITS];
};
extern struct ipc_limits ipc_limits;

void ipc_limits_changed(void); /* what they no longer allow goes */

#endif
