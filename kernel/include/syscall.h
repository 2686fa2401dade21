/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls. kernel/sys/syscalls.tbl is the one list: number, name, handler, number
 * of arguments; tools/gensyscalls.py makes prototypes and the dispatch table of it.
 * A handler takes its arguments as u64 and returns a result or -errno; it is in
 * the file of its subsystem. 32-bit arguments must be cast ((int)fd) before use.
 */
#ifndef SYSCALL_H
#define SYSCALL_H

#include "kernel.h"
#include "syscalls_gen.h"

/* The calling thread's user registers (fork, sigreturn, execve). */
#define current_regs() mc_regs(mc_current())

#endif
