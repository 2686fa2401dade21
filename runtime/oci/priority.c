// SPDX-License-Identifier: Apache-2.0
#include "oci/priority.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>

static int policy_of(const char *name)
{
	static const char *const policies[] = {
		[SCHED_NORMAL] = "SCHED_OTHER", [SCHED_FIFO] = "SCHED_FIFO", [SCHED_RR] = "SCHED_RR",
		[SCHED_BATCH] = "SCHED_BATCH",  [SCHED_IDLE] = "SCHED_IDLE", [SCHED_DEADLINE] = "SCHED_DEADLINE",
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (policies[i] && !strcmp(name, policies[i]))
			return (int)i;
	}
	return -1;
}

static int check_flags(const struct oci_strings *flags, bool *reset, struct error *err)
{
	static const char *const others[] = {
		"SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS",
		"SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
	};

	for (size_t i = 0; i < flags->n; i++) {
		bool known = false;

		if (!strcmp(flags->v[i], "SCHED_FLAG_RESET_ON_FORK")) {
			*reset = true;
			continue;
		}
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			known |= !strcmp(flags->v[i], others[k]);
		return error_set(err, known ? ENOTSUP : EINVAL, "process.scheduler.flags[%zu]: %s '%s'", i,
				 known ? "a guest has no" : "unknown flag", flags->v[i]);
	}
	return 0;
}

int oci_sched_of(const struct oci_scheduler *s, struct oci_sched *out, struct error *err)
{
	int policy = policy_of(s->policy);
	bool realtime = policy == SCHED_FIFO || policy == SCHED_RR;

	if (policy < 0)
		return error_set(err, EINVAL, "process.scheduler.policy: unknown policy '%s'", s->policy);
	if (policy == SCHED_DEADLINE)
		return error_set(err, ENOTSUP, "process.scheduler.policy: processes with SCHED_DEADLINE can't fork");
	if (s->runtime.set || s->deadline.set || s->period.set)
		return error_set(err, EINVAL,
				 "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only");
	if (s->nice.set && (s->nice.v < -20 || s->nice.v > 19))
		return error_set(err, EINVAL, "process.scheduler.nice: expected -20 to 19");
	if (s->priority.set && s->priority.v && !realtime)
		return error_set(err, EINVAL, "process.scheduler.priority: for SCHED_FIFO and SCHED_RR only");
	if (realtime && (s->priority.v < 1 || s->priority.v > 99))
		return error_set(err, EINVAL, "process.scheduler.priority: expected 1 to 99");
	*out = (struct oci_sched){
		.policy = (uint32_t)policy,
		.priority = (uint32_t)s->priority.v,
		.nice = (int32_t)s->nice.v,
	};
	return check_flags(&s->flags, &out->reset_on_fork, err);
}

int oci_ioprio_of(const struct oci_io_priority *p, struct error *err)
{
	static const char *const classes[] = { NULL, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE" };

	if (p->priority < 0 || p->priority > 7)
		return error_set(err, EINVAL, "process.ioPriority.priority: expected 0 to 7");
	for (int i = 1; i < 4; i++) {
		if (!strcmp(p->class, classes[i]))
			return i << IOPRIO_CLASS_SHIFT | (int)p->priority;
	}
	return error_set(err, EINVAL, "process.ioPriority.class: unknown class '%s'", p->class);
}
