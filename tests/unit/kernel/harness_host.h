/* SPDX-License-Identifier: Apache-2.0 */
/* Between the halves of the harness: one sees the kernel's headers, one the C library's. */
#ifndef HARNESS_HOST_H
#define HARNESS_HOST_H

/* harness.c: the calling thread, which the stub machine knows, becomes guest pid 1 and runs fn. */
void harness_guest(void (*fn)(void)) __attribute__((noreturn));
void harness_become(void); /* the same, and goes on */
unsigned long harness_task_size(void);

#endif
