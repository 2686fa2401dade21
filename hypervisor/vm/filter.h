/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter of guest processes, generated from abi/hypercalls.def.
 *
 * A system call of the guest (any instruction outside the hostcall block) traps: SIGSYS, and the guest
 * kernel serves it. A host call from the block passes if the table allows it. Anything else is
 * reported to the hypervisor (user notification), which ends the VM and says what was tried.
 *
 * libseccomp has no rules on the instruction pointer, which is what this filter is about: hence our own generator.
 */
#ifndef CALLGATE_VM_FILTER_H
#define CALLGATE_VM_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_MAX 1024

/* Returns the number of instructions, or -E2BIG. */
int filter_build(struct sock_filter *out, size_t room);

/* Number of different host calls in the table. */
unsigned int filter_table_size(void);
/* "futex" for its number; NULL if it is not in the table. */
const char *filter_call_name(int nr);

#endif
