/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of System V IPC and of message queues, as /proc/sys and linux.sysctl set them: proc(5), mq_overview(7). */
#ifndef IPC_LIMITS_H
#define IPC_LIMITS_H

#include "kernel.h"

#define IPC_MNI_MAX 32768 /* objects of a kind, at most */

/* Of POSIX message queues; for those with CAP_SYS_RESOURCE they are the only ones. */
#define MQ_COUNT_HARD 65536
#define MQ_SIZE_HARD (16 << 20)

enum sem_limit { SEM_LIMIT_MSL, SEM_LIMIT_MNS, SEM_LIMIT_OPM, SEM_LIMIT_MNI, SEM_LIMITS };

/* Read and set without a lock: each is a number of its own. */
struct ipc_limits {
	u64 shmmax, shmall; /* bytes of a segment, pages of all of them */
	s64 shmmni, shm_rmid_forced;
	s64 msgmax, msgmnb, msgmni;
	s64 sem[SEM_LIMITS];
	s64 mq_queues_max, mq_count_max, mq_size_max, mq_count_default, mq_size_default;
};
extern struct ipc_limits ipc_limits;

void ipc_limits_changed(void); /* what they no longer allow goes */

#endif
