/* SPDX-License-Identifier: Apache-2.0 */
/* process.scheduler and process.ioPriority in the numbers of sched_setattr(2) and ioprio_set(2). */
#ifndef CALLGATE_RUNTIME_OCI_PRIORITY_H
#define CALLGATE_RUNTIME_OCI_PRIORITY_H

#include "oci/spec.h"

struct oci_sched {
	uint32_t policy;   /* SCHED_* */
	uint32_t priority; /* of SCHED_FIFO and SCHED_RR, else 0 */
	int32_t nice;
	bool reset_on_fork;
};

/* -errno: what is wrong or can't be applied, by its name. */
int must_check oci_sched_of(const struct oci_scheduler *s, struct oci_sched *out, struct error *err);
/* class << 13 | level, or -errno */
int must_check oci_ioprio_of(const struct oci_io_priority *p, struct error *err);

#endif
