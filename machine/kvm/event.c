// SPDX-License-Identifier: Apache-2.0
/* What the hypervisor tells, and the thread that does what takes longer: it starts the first process, and others. */
#include "kvm_impl.h"

#define TASK_ROOM 4096 /* of a task that the machine makes: kernel code looks into its struct task */

static struct thread *vm_thread;
static u32 seen;

void host_event(void)
{
	ready_take();
	slots_answered();
	if (vm_thread && __atomic_load_n(&RING->events, __ATOMIC_SEQ_CST) != READ_ONCE(seen))
		sched_wake(vm_thread, TOKEN_UNPARK);
}

static struct thread *task_new(enum mc_start how)
{
	struct thread *t = thread_of(mc_task_alloc(TASK_ROOM));

	if (!t)
		panic("no memory for the first threads");
	t->boot = true;
	t->how = (u8)how;
	return t;
}

void vm_thread_start(void)
{
	vm_thread = task_new(MC_KERNEL);
	thread_enqueue(vm_thread);
}

void vm_thread_main(void)
{
	struct thread *first = task_new(MC_NEW);

	kernel_map_check();
	if (mc_thread_start((struct task *)first, MC_NEW, NULL) < 0)
		panic("no memory for the first process");
	for (;;) {
		u32 posted = __atomic_load_n(&RING->events, __ATOMIC_SEQ_CST);

		if (posted == seen) {
			mc_park_killable(MC_FOREVER);
			continue;
		}
		WRITE_ONCE(seen, posted);
		kernel_host_events();
	}
}
