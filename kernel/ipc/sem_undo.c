// SPDX-License-Identifier: Apache-2.0
/* SEM_UNDO: semop(2). */
#include "sem.h"

struct sem_undo *sem_undo_get(struct sem_set *s)
{
	struct process *p = current->proc;
	struct sem_undo *u;

	list_for_each(u, &s->undos, of_set)
		if (u->proc == p)
			return u;
	u = kzalloc(sizeof(*u) + s->n * sizeof(u->adjust[0]));
	if (!u)
		return NULL;
	u->set = s;
	u->proc = p;
	list_add_tail(&u->of_set, &s->undos);
	if (!p->sem_undos.next)
		list_init(&p->sem_undos);
	list_add_tail(&u->of_process, &p->sem_undos);
	return u;
}

void sem_undo_clear(struct sem_set *s, u32 first, u32 n)
{
	struct sem_undo *u;

	list_for_each(u, &s->undos, of_set)
		for (u32 i = first; i < first + n; i++)
			u->adjust[i] = 0;
}

static void drop(struct sem_undo *u)
{
	list_del(&u->of_set);
	list_del(&u->of_process);
	kfree(u);
}

void sem_undo_drop(struct sem_set *s)
{
	struct sem_undo *u, *next;

	list_for_each_safe(u, next, &s->undos, of_set)
		drop(u);
}

static void apply(struct sem_undo *u, int pid)
{
	struct sem_set *s = u->set;

	for (u32 i = 0; i < s->n; i++) {
		if (!u->adjust[i])
			continue;
		s->sem[i].value = clamp(s->sem[i].value + u->adjust[i], 0, SEMVMX);
		s->sem[i].pid = pid;
	}
	s->otime = ipc_now();
	waitq_wake_all(&s->ipc.wait, 0);
}

void sem_process_exit(struct process *p)
{
	struct sem_undo *u, *next;

	if (!p->sem_undos.next)
		return;
	guard(&sem_table.lock);
	list_for_each_safe(u, next, &p->sem_undos, of_process) {
		apply(u, p->pid);
		drop(u);
	}
}
