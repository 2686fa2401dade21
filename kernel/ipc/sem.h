/* SPDX-License-Identifier: Apache-2.0 */
/* System V semaphores: what operations, control and undo share. All under sem_table.lock. */
#ifndef IPC_SEM_H
#define IPC_SEM_H

#include <linux/sem.h>

#include "ipc.h"
#include "task.h"

extern u64 sem_total; /* semaphores of all sets that are not removed */

struct sem {
	int value, pid;     /* pid: of the last operation */
	u32 ncount, zcount; /* waiting for more, for zero */
};

struct sem_set {
	struct ipc_object ipc;
	struct list_head undos;
	s64 otime;
	u32 n;
	struct sem sem[];
};

/* What a process will give back to a set when it ends. */
struct sem_undo {
	struct list_head of_set, of_process;
	struct sem_set *set; /* not counted: the set frees its undos */
	struct process *proc;
	short adjust[];
};

/* Of current; makes one. NULL: no memory. */
struct sem_undo *sem_undo_get(struct sem_set *s);
void sem_undo_clear(struct sem_set *s, u32 first, u32 n); /* SETVAL, SETALL */
void sem_undo_drop(struct sem_set *s);                    /* the set goes */

#endif
