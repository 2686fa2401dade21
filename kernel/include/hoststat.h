/* SPDX-License-Identifier: Apache-2.0 */
/* What the container sees of the host's memory and load: sysinfo(2), /proc/meminfo, /proc/loadavg. */
#ifndef HOSTSTAT_H
#define HOSTSTAT_H

#include "kernel.h"

/*
 * The container's view: mem_total is its limit where it has one, and what is free is what
 * is left of it. At most 100 ms old.
 */
void host_stat(struct pv_host_stat *out);

/* What the container may use: of boot_info, until the hypervisor says otherwise (PV_EV_LIMITS). */
u32 limit_cpus(void);
u64 limit_memory(void); /* bytes; 0: none */
void limits_set(u32 ncpus, u64 memory);

#endif
