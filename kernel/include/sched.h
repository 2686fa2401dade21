/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHED_H
#define SCHED_H

#include "kernel.h"

struct task;

u32 cpu_count(void); /* CPUs that the container may use: 1 to 1024 */
/* Callers hold tasklist_lock. */
bool sched_may_change(struct task *t);          /* may current change t's scheduling? */
int sched_host_nice(const struct task *t); /* what the host is told */
bool sched_may_nice(struct task *t, int nice);  /* ... to this nice value */
void sched_inherit(struct task *c, struct task *p); /* c is about to be started by p */
void task_cpu_mask(struct task *t, u64 *mask);  /* 16 words: the CPUs t may use */

#endif
