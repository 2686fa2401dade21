/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of processes. The hypervisor lives in a pid namespace of its own, and the /proc around it is the host's
 * until it enters the container: a procfs knows processes by the numbers of the namespace it was mounted in.
 */
#ifndef CALLGATE_RUNTIME_LIB_PROC_H
#define CALLGATE_RUNTIME_LIB_PROC_H

#include <sys/types.h>

/* Of the process that pidfd stands for, in the procfs whose directory procfd is. 0: it is not known there. */
pid_t proc_number_in(int procfd, int pidfd);

/* Of one of the caller's own namespace, in /proc. */
pid_t proc_number(pid_t pid);

#endif
