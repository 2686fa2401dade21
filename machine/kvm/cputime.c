// SPDX-License-Identifier: Apache-2.0
/*
 * CPU time. A thread counts its own at every way into and out of the kernel; what its process has is added up when the
 * thread leaves its CPU. Whoever asks for another's reads a count that changes meanwhile again.
 */
#include "kvm_impl.h"

/* Interrupts are off. */
static void count(struct thread *t, bool user, u64 now)
{
	s64 passed = (s64)(now - t->since);

	__atomic_store_n(&t->count_seq, t->count_seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (passed > 0)
		t->time[t->in_user] += (u64)passed;
	t->since = now;
	t->in_user = user;
	__atomic_store_n(&t->count_seq, t->count_seq + 1, __ATOMIC_RELEASE);
}

void cputime_kernel(void) { count(self(), false, clock_now()); }
void cputime_user(void) { count(self(), true, clock_now()); }

/* run_lock held */
void cputime_switch(struct thread *prev, struct thread *next)
{
	u64 now = clock_now();
	int i;

	count(prev, false, now);
	for (i = 0; i < 2 && prev->process; i++) {
		prev->process->time[i] += prev->time[i] - prev->told[i];
		prev->told[i] = prev->time[i];
	}
	next->since = now;
	next->in_user = false;
}

/* Until now. run_lock held */
static void read_count(struct thread *t, u64 now, u64 time[2])
{
	u64 since;
	bool user;
	u32 seq;

	do {
		seq = __atomic_load_n(&t->count_seq, __ATOMIC_ACQUIRE);
		time[0] = READ_ONCE(t->time[0]);
		time[1] = READ_ONCE(t->time[1]);
		since = READ_ONCE(t->since);
		user = READ_ONCE(t->in_user);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (seq & 1 || seq != READ_ONCE(t->count_seq));
	if (t->on_cpu && now > since)
		time[user] += now - since;
}

static void read_process(const struct process *p, u64 now, u64 time[2])
{
	u64 of[2];
	u32 i;

	time[0] = p->time[0];
	time[1] = p->time[1];
	for (i = 0; i < ncpus; i++) {
		struct thread *t = cpus[i].thread;

		if (!t || t->process != p)
			continue;
		read_count(t, now, of);
		time[0] += of[0] - t->told[0];
		time[1] += of[1] - t->told[1];
	}
}

void mc_cpu_time(struct task *task, bool process, u64 *user, u64 *sys)
{
	struct thread *t = thread_of(task);
	u64 time[2];

	spin_lock(&run_lock);
	if (process && t->process)
		read_process(t->process, clock_now(), time);
	else
		read_count(t, clock_now(), time);
	spin_unlock(&run_lock);
	*sys = time[0];
	*user = time[1];
}
