// SPDX-License-Identifier: Apache-2.0
/* Threads: their start, end and registers. */
#include "kvm_impl.h"

struct frame_of_switch { /* what kvm_switch() pops */
	u64 r15, r14, r13, r12, rbx, rbp, rip;
};

static void process_put(struct process *p)
{
	if (p && !__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		kfree(p);
}

static struct process *process_new(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (p)
		p->refs = 1;
	return p;
}

struct task *mc_task_alloc(size_t size)
{
	struct thread *t = kzalloc(size);

	if (!t)
		return NULL;
	t->stack = kmalloc(KSTACK_SIZE);
	if (!t->stack) {
		kfree(t);
		return NULL;
	}
	*(u64 *)t->stack = STACK_MAGIC;
	t->regs = (struct pt_regs *)(t->stack + KSTACK_SIZE) - 1;
	return (struct task *)t;
}

void thread_free(struct thread *t)
{
	process_put(t->process);
	kfree(t->stack);
	kfree(t->fpu);
	kfree(t);
}

void mc_task_free(struct task *task)
{
	struct thread *t = thread_of(task);
	bool now;

	spin_lock(&run_lock);
	now = !t->on_cpu && (t->state == T_DEAD || t->state == T_NEW);
	t->freed = true;
	spin_unlock(&run_lock);
	if (now)
		thread_free(t);
}

struct task *mc_current(void) { return (struct task *)self(); }
struct pt_regs *mc_regs(struct task *t) { return thread_of(t)->regs; }
void mc_regs_changed(void) { __atomic_or_fetch(&self()->work, WORK_FULL, __ATOMIC_RELAXED); }

static void prepare_stack(struct thread *t)
{
	struct frame_of_switch *f = (struct frame_of_switch *)((u8 *)t->regs - 16) - 1;

	*f = (struct frame_of_switch){ .rip = (u64)kvm_thread_entry };
	t->sp = (u64)f;
}

static struct space *child_space(enum mc_start how)
{
	switch (how) {
	case MC_FORK:
		return space_fork(self()->space);
	case MC_NEW:
		return space_new();
	default:
		return space_get(self()->space);
	}
}

static int give_user_half(struct thread *t, enum mc_start how)
{
	struct thread *me = self();

	t->fpu = fpu_alloc();
	t->space = t->fpu ? child_space(how) : NULL;
	t->process = how == MC_THREAD ? me->process : process_new();
	if (how == MC_THREAD && t->process)
		__atomic_fetch_add(&t->process->refs, 1, __ATOMIC_RELAXED);
	if (!t->space || !t->process)
		return -ENOMEM;
	if (me->fpu && how != MC_NEW) {
		fpu_save(me);
		memcpy(t->fpu, me->fpu, ksize(t->fpu));
		t->fsbase = mc_get_fsbase();
	}
	return 0;
}

void thread_enqueue(struct thread *t)
{
	prepare_stack(t);
	spin_lock(&run_lock);
	t->state = T_PARKED;
	make_runnable(t);
	spin_unlock(&run_lock);
}

int mc_thread_start(struct task *child, enum mc_start how, const struct pt_regs *regs)
{
	struct thread *t = thread_of(child);
	int ret;

	t->how = (u8)how;
	memset(t->regs, 0, sizeof(*t->regs));
	if (regs)
		*t->regs = *regs;
	ret = how == MC_KERNEL ? 0 : give_user_half(t, how);
	if (ret < 0) {
		if (t->space)
			space_put(t->space);
		t->space = NULL;
		return ret;
	}
	thread_enqueue(t);
	return 0;
}

/* First C code of a thread. Returns to go to user mode with its registers. */
void kvm_thread_main(void)
{
	struct thread *t = self();

	sched_switched();
	if (t->boot && t->how == MC_KERNEL)
		vm_thread_main();
	if (t->boot)
		kernel_boot();
	if (t->how == MC_KERNEL)
		kernel_thread_main((struct task *)t);
	if (t->how == MC_NEW)
		kernel_process_main((struct task *)t);
	kernel_task_start((struct task *)t);
}

void mc_thread_exit(bool last)
{
	struct thread *t = self();
	struct space *s = t->space;

	if (s) {
		spin_lock(&run_lock);
		t->space = NULL;
		spin_unlock(&run_lock);
		cpu_load_space(NULL);
		space_put(s);
	}
	t->freed = true; /* when this thread has left its stack: sched_switched() */
	sched_dead();
}

static void resume(void *arg)
{
	struct thread *t = self();
	void (*fn)(void *) = (void (*)(void *))t->regs->rip;

	memset(t->regs, 0, sizeof(*t->regs));
	fn(arg);
}

void mc_space_renew(void (*fn)(void *arg), void *arg)
{
	struct thread *t = self();
	struct space *old = t->space, *s = space_new();

	if (!s)
		panic("no memory for a new address space");
	t->space = s;
	cpu_load_space(s);
	space_put(old);
	t->regs->rip = (u64)fn;
	kvm_call_on_stack((u8 *)t->regs - 16, resume, arg);
}

u64 mc_get_fsbase(void)
{
	u64 base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void mc_set_fsbase(u64 base) { __asm__ volatile("wrfsbase %0" ::"r"(base)); }

/* No call site is ever patched here. */
void mc_code_original(bool original) { }
/* The host's ps shows one VM. */
void mc_set_cmdline(const char *args, size_t len) { }
uaddr_t mc_vdso(void) { return 0; }
int mc_clock_calls(void) { return 0; }
