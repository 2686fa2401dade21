/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/trace: what calls did, for `callgate trace` (abi/trace_ring.h). */
#ifndef TRACE_HOOK_H
#define TRACE_HOOK_H

#include "task.h"

void trace_boot(void);
/* Does anybody trace? For slow paths; kernel_syscall() asks by itself. */
bool tracing(void);

/* The call in r, with a record of it: syscall_run(), which kernel/task/boot.c has. */
s64 trace_syscall(struct task *t, struct pt_regs *r);
s64 syscall_run(struct task *t, struct pt_regs *r);
/* The call may sleep from here on, perhaps for long: who traces is told once. */
void trace_sleeps(struct task *t);
static inline void trace_may_sleep(void)
{
	if (unlikely(current->trace_call))
		trace_sleeps(current);
}
/* The hypervisor has kicked: does it want the records that wait? */
void trace_drain(void);
/* A program that no call has executed: the container's first, or an exec from outside. Strings of argv, one after another. */
void trace_program(struct task *t, const char *filename, const char *argv, size_t len);
/* An exec that succeeded: it does not return. */
void trace_exec(struct task *t);
void trace_signal(struct task *t, int sig, int code, int from);
/* The last thread of the process, or (last false) another one. */
void trace_exit(struct task *t, bool last, int wait_status);

#endif
