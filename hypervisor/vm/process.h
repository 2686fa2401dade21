/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What config.json says of a process and the host does: priorities, the OOM killer's preference, clocks, labels of
 * security modules. All are inherited: the hypervisor takes them on before vm0 is made.
 */
#ifndef CALLGATE_VM_PROCESS_H
#define CALLGATE_VM_PROCESS_H

#include "lib/error.h"
#include "oci/spec.h"

struct process_setup {
	int procfd;      /* the caller's */
	char oom_score[16]; /* that the runtime was started with */
	int time_ns;     /* linux.namespaces: time, given by a path; else -1 */
	int own_time_ns; /* to go back to; -1: not left */
};

/* First thing, with the rights that the caller of the runtime has. */
int must_check process_prepare(struct process_setup *s, const struct oci_spec *spec, struct error *err);
/* Before vm0 is made: it will have the container's clocks, and the labels at its exec. procfd: a procfs. */
int must_check process_before_guest(struct process_setup *s, const struct oci_spec *spec, int procfd,
				    struct error *err);
/* vm0 runs, no guest code yet: the hypervisor's own clocks and labels. */
int must_check process_after_guest(struct process_setup *s, const struct oci_spec *spec, struct error *err);

#endif
