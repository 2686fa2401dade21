// SPDX-License-Identifier: Apache-2.0
/*
 * The run queue: one for all CPUs, who waits longest is first, on each CPU among those that may use it. How many these are is
 * counted by CPU, and those that may use all CPUs once, so that a CPU can look without a lock.
 */
#include "kvm_impl.h"

struct spinlock run_lock;
u32 queue_unbound;
static struct thread *first, **last = &first;

static void count(const struct thread *t, u32 n)
{
	u64 left;

	if (!t->cpus)
		WRITE_ONCE(queue_unbound, queue_unbound + n);
	for (left = t->cpus; left; left &= left - 1) {
		struct cpu *c = &cpus[__builtin_ctzll(left)];

		WRITE_ONCE(c->bound, c->bound + n);
	}
}

void queue_add(struct thread *t)
{
	t->queued = true;
	t->next = NULL;
	*last = t;
	last = &t->next;
	count(t, 1);
}

struct thread *queue_take(const struct cpu *c)
{
	struct thread **at = &first, *t;

	while ((t = *at) && !may_use(t, c->id))
		at = &t->next;
	if (!t)
		return NULL;
	*at = t->next;
	if (!t->next)
		last = at;
	t->queued = false;
	count(t, -1u);
	return t;
}

/* A CPU that sleeps takes who waits; one that polls sees him by itself. */
static void call_idle(struct cpu *c)
{
	if (!c->halted)
		return;
	c->halted = false;
	lapic_send(c->id, KVM_VEC_KICK);
}

/* Those that run user code must begin to count its time. (cpu_enter_user() tells the others.) */
static void call_busy_cpus(const struct thread *t)
{
	u32 i;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* it is on the queue before the look at modes: see set_mode() */
	for (i = 0; i < ncpus; i++) {
		if (may_use(t, i) && READ_ONCE(cpus[i].mode) == CPU_USER && !cpus[i].slice_end)
			lapic_send(i, KVM_VEC_KICK);
	}
}

void queue_tell(struct thread *t)
{
	u32 i;

	for (i = 0; i < ncpus; i++) {
		if (!cpus[i].idle || &cpus[i] == this_cpu() || !may_use(t, i))
			continue;
		call_idle(&cpus[i]);
		return;
	}
	call_busy_cpus(t);
}

/* One that may take somebody who is left. It does the same. */
void queue_tell_idle(void)
{
	u32 i;

	for (i = 0; i < ncpus; i++) {
		if (!cpus[i].idle || &cpus[i] == this_cpu() || !queue_waits(&cpus[i]))
			continue;
		call_idle(&cpus[i]);
		return;
	}
}

/* ---- which CPUs a thread may use ---- */

int mc_cpu(void) { return (int)this_cpu()->id; }

void mc_thread_nice(struct task *task, int nice) { } /* all take turns alike */

int mc_thread_affinity(struct task *task, const u64 *mask, u32 words)
{
	struct thread *t = thread_of(task);
	u64 online = ~0ULL >> (64 - ncpus), may = words ? mask[0] & online : 0;

	_Static_assert(KVM_MAX_CPUS == 64, "the mask is one word");
	if (!may)
		return -EINVAL;
	spin_lock(&run_lock);
	if (t->queued)
		count(t, -1u);
	WRITE_ONCE(t->cpus, may == online ? 0 : may);
	if (t->queued) {
		count(t, 1);
		queue_tell(t);
	}
	/* it sees its new mask before it enters user mode, or is there: see set_mode() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (t->on_cpu && !may_use(t, t->cpu) && READ_ONCE(cpus[t->cpu].mode) == CPU_USER)
		lapic_send(t->cpu, KVM_VEC_KICK);
	spin_unlock(&run_lock);
	return 0;
}
