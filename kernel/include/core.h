/* SPDX-License-Identifier: Apache-2.0 */
/* Core dumps: what is left of a process that a signal ends (core(5)). */
#ifndef KERNEL_CORE_H
#define KERNEL_CORE_H

#include "seq.h"
#include "signal.h"

struct process;
struct task;

#define COREDUMP_FILTER 0x33u /* what /proc/PID/coredump_filter is at first, as in Linux */
#define CORE_PATTERN_MAX 128

/* The signal ends the process: writes a core file, if there is to be one. The wait status. Ends all other threads. */
int core_dump(int sig, const siginfo_t *info);
/* First thing of an exit: a dump under way wants this thread's registers. */
void core_task_exit(struct task *t);
void core_abort(struct process *p); /* SIGKILL: whatever of it is written by now. tasklist_lock held */

extern char core_pattern[CORE_PATTERN_MAX];
extern s64 core_uses_pid;

#endif
