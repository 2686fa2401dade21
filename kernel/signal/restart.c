// SPDX-License-Identifier: Apache-2.0
/* restart_syscall(2): goes on with a sleep whose remaining time only the kernel knows. */
#include "syscall.h"

#include "task.h"

long sys_restart_syscall(void)
{
	struct restart *r = &current->restart;

	return r->fn ? r->fn(r) : -EINTR;
}
