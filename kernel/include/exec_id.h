/* SPDX-License-Identifier: Apache-2.0 */
/* Which program a process runs, as a number that the hypervisor knows (task/exec_id.c). NULL: unknown. */
#ifndef EXEC_ID_H
#define EXEC_ID_H

#include "task.h"

struct exec;
struct exec_id;

/* The program that is about to be executed; made while that may still fail. NULL if nobody wants to know. */
struct exec_id *exec_id_new(const struct exec *x);
struct exec_id *exec_id_get(struct exec_id *id);
void exec_id_put(struct exec_id *id);
/* Who asks, for the `cred` of a socket call: cred_pv_id(), and what it runs. */
u32 exec_id_cred(void);

#endif
