// SPDX-License-Identifier: Apache-2.0
/*
 * membarrier(2), for the threads of the caller's process: each of them is kicked, and a kick that was taken is a
 * full barrier. Commands that reach other processes, and those about instruction streams, are not there: who asks
 * which there are finds that, and falls back.
 */
#include "syscall.h"

#include <linux/membarrier.h>

#include "mm.h"
#include "task.h"

struct kicked {
	int tid;
	u32 before;
};

/* Kicks the other threads; their number, or -ENOMEM. */
static long kick_others(struct kicked **list)
{
	struct process *p = current->proc;
	struct task *t;
	long n = 0;
	bool known;

	guard(&tasklist_lock);
	*list = kmalloc((size_t)p->nthreads * sizeof(**list));
	if (!*list)
		return -ENOMEM;
	list_for_each(t, &p->threads, thread_node) {
		u32 before = mc_kicks_taken(t, &known);

		if (t == current || !known || n == p->nthreads)
			continue;
		(*list)[n++] = (struct kicked){ t->tid, before };
		mc_kick(t);
	}
	return n;
}

/* Has it taken the kick, or gone? */
static bool passed(const struct kicked *k)
{
	struct task *t;
	bool known;

	guard(&tasklist_lock);
	t = find_task(k->tid);
	return !t || t->proc != current->proc || t->state == TASK_DEAD ||
	       mc_kicks_taken(t, &known) != k->before || !known;
}

static long barrier_in_all(void)
{
	struct kicked *list = NULL;
	long n;

	smp_mb();
	if (current->proc->nthreads == 1)
		return 0;
	n = kick_others(&list);
	for (long i = 0; i < n; i++)
		while (!passed(&list[i]))
			mc_yield();
	kfree(list);
	smp_mb();
	return n < 0 ? n : 0;
}

long sys_membarrier(u64 cmd, u64 flags, u64 cpu)
{
	if ((u32)flags)
		return -EINVAL;
	switch ((int)cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		WRITE_ONCE(current->mm->membarrier, true);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return READ_ONCE(current->mm->membarrier) ? barrier_in_all() : -EPERM;
	default:
		return -EINVAL;
	}
}
