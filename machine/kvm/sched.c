// SPDX-License-Identifier: Apache-2.0
/*
 * The scheduler: one run queue for all CPUs (queue.c), time slices while others wait, and sleepers by their deadlines. A CPU
 * without work polls for a moment before it halts. Everything here is under run_lock.
 */
#include "kvm_impl.h"

#define SLICE (4 * NSEC_PER_MSEC)
#define POLL_ROUNDS 2000

static struct thread *left; /* dead, and nobody needs them any more: by `next` */
static struct tree_node *sleepers; /* with a deadline */
static struct thread *lock_sleepers[64];

static struct thread *of_timer(struct tree_node *n) { return container_of(n, struct thread, timer); }

void make_runnable(struct thread *t)
{
	if (t->state != T_PARKED)
		return;
	t->state = T_RUNNABLE;
	if (t->timer.linked)
		tree_remove(&sleepers, &t->timer);
	queue_add(t);
	queue_tell(t);
}

/* ---- the switch ---- */

/*
 * On the new thread's stack: the old one's is free to be used elsewhere. Its memory is not given back here: the heap has
 * mutexes, and whoever goes on here may be an idle CPU, which cannot sleep, or hold one of them.
 */
void sched_switched(void)
{
	struct thread *prev = this_cpu()->prev;

	prev->on_cpu = false;
	if (prev->state == T_DEAD && prev->freed) {
		prev->next = left;
		WRITE_ONCE(left, prev);
	}
	spin_unlock(&run_lock);
}

void sched_reap(void)
{
	struct thread *t, *next;

	if (likely(!READ_ONCE(left)))
		return;
	spin_lock(&run_lock);
	t = left;
	left = NULL;
	spin_unlock(&run_lock);
	for (; t; t = next) {
		next = t->next;
		thread_free(t);
	}
}

static inline u64 rdgs(void)
{
	u64 v;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v));
	return v;
}
static inline void wrgs(u64 v) { __asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(v)); }
static inline u64 rdfs(void)
{
	u64 v;

	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}
static inline void wrfs(u64 v) { __asm__ volatile("wrfsbase %0" ::"r"(v)); }

static void save_user(struct thread *t)
{
	if (!t->fpu || t->state == T_DEAD)
		return;
	t->fsbase = rdfs();
	t->gsbase = rdgs();
	fpu_save(t);
}

static void load_user(struct thread *t)
{
	if (!t->fpu)
		return;
	wrfs(t->fsbase);
	wrgs(t->gsbase);
	fpu_load(t);
}

static void switch_to(struct thread *next)
{
	struct cpu *c = this_cpu();
	struct thread *prev = c->thread;

	if (next == prev) {
		spin_unlock(&run_lock);
		return;
	}
	if (prev->stack && *(u64 *)prev->stack != STACK_MAGIC)
		panic("the kernel stack of a thread has overflowed");
	cputime_switch(prev, next);
	/* a kick on its way to who leaves is taken by who comes: this is a barrier as well */
	__atomic_fetch_add(&prev->kicks, 1, __ATOMIC_SEQ_CST);
	save_user(prev);
	/* its last CPU may still be on its way off its stack: it holds run_lock until then */
	next->on_cpu = true;
	next->cpu = c->id;
	c->prev = prev;
	c->thread = next;
	if (next->stack)
		cpu_set_stack(c, (u64)next->stack + KSTACK_SIZE);
	cpu_load_space(next->space);
	load_user(next);
	kvm_switch(&prev->sp, next->sp);
	sched_switched();
}

void schedule(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->thread, *next = queue_take(c);

	if (unlikely(t == &c->idle_thread && t->state == T_PARKED)) {
		spin_unlock(&run_lock);
		panic("an idle CPU was to sleep for a lock");
	}
	c->resched = false;
	c->slice_end = 0;
	if (next)
		queue_tell_idle();
	switch_to(next ? next : &c->idle_thread);
}

void sched_dead(void)
{
	spin_lock(&run_lock);
	self()->state = T_DEAD;
	schedule();
	__builtin_unreachable();
}

static void wake_sleepers(void)
{
	u64 now = clock_now();
	struct tree_node *n;

	while ((n = tree_first(sleepers)) && n->key <= now) {
		of_timer(n)->timed_out = true;
		make_runnable(of_timer(n));
	}
}

static void set_sleepers_timer(void)
{
	struct tree_node *n = tree_first(sleepers);

	if (n)
		timer_set(n->key);
}

void sched_tick(void)
{
	struct cpu *c = this_cpu();

	c->timer = MC_FOREVER;
	spin_lock(&run_lock);
	wake_sleepers();
	set_sleepers_timer();
	if (c->slice_end && clock_now() >= c->slice_end)
		c->resched = true;
	else if (c->slice_end)
		timer_set(c->slice_end);
	spin_unlock(&run_lock);
}

/* On the way to user mode, while others wait: the time of who runs is limited, or over. */
void sched_share(void)
{
	struct cpu *c = this_cpu();

	if (c->resched || !may_use(c->thread, c->id))
		mc_yield();
	c = this_cpu();
	c->resched = false;
	if (queue_waits(c) && !c->slice_end) {
		c->slice_end = clock_now() + SLICE;
		timer_set(c->slice_end);
	}
}

static void poll_queue(const struct cpu *c)
{
	int i;

	for (i = 0; i < POLL_ROUNDS && !queue_waits(c) && ncpus > 1; i++)
		__builtin_ia32_pause();
}

/* An interrupt that comes between the look at the queue and hlt ends the hlt: kvm_halt(). */
void sched_idle(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		c->idle = true;
		frames_trim();
		poll_queue(c);
		late_interrupts();
		spin_lock(&run_lock);
		wake_sleepers();
		if (queue_waits(c)) {
			c->idle = false;
			schedule();
			continue;
		}
		set_sleepers_timer();
		timer_set(frames_trim_at());
		c->halted = true;
		spin_unlock(&run_lock);
		if (!READ_ONCE(c->late))
			kvm_halt();
		c->halted = false;
	}
}

/* ---- park and kick ---- */

int sched_park(u32 tokens, u64 deadline, bool intr)
{
	struct thread *t = self();
	u32 came;

	spin_lock(&run_lock);
	if (!(t->token & tokens) && !(intr && (t->work & ~WORK_FULL))) {
		t->intr = intr;
		t->wants = (u8)tokens;
		t->timed_out = false;
		t->state = T_PARKED;
		if (deadline != MC_FOREVER) {
			t->timer.key = deadline;
			tree_insert(&sleepers, &t->timer);
			timer_set(deadline);
		}
		schedule();
		spin_lock(&run_lock);
	}
	came = t->token & tokens;
	t->token &= ~came;
	spin_unlock(&run_lock);
	if (came)
		return (int)came;
	if (intr && (READ_ONCE(t->work) & ~WORK_FULL))
		return -EINTR;
	return t->timed_out ? -ETIMEDOUT : 0;
}

void sched_wake(struct thread *t, u32 token)
{
	spin_lock(&run_lock);
	t->token |= token;
	if (!t->lock_word && t->wants & token)
		make_runnable(t);
	spin_unlock(&run_lock);
}

int mc_park(u64 deadline) { return min(sched_park(TOKEN_UNPARK, deadline, true), 0); }
int mc_park_killable(u64 deadline) { return min(sched_park(TOKEN_UNPARK, deadline, false), 0); }
void mc_unpark(struct task *t) { sched_wake(thread_of(t), TOKEN_UNPARK); }

void mc_kick(struct task *task)
{
	struct thread *t = thread_of(task);

	spin_lock(&run_lock);
	if (t->state == T_PARKED && t->intr && !t->lock_word)
		make_runnable(t);
	if (t->on_cpu && t->cpu != this_cpu()->id && READ_ONCE(cpus[t->cpu].mode) == CPU_USER)
		lapic_send(t->cpu, KVM_VEC_KICK);
	else /* it is in the kernel, and passes a barrier before it leaves that */
		__atomic_fetch_add(&t->kicks, 1, __ATOMIC_SEQ_CST);
	spin_unlock(&run_lock);
}

u32 mc_kicks_taken(struct task *task, bool *known)
{
	struct thread *t = thread_of(task);

	*known = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST) != T_NEW;
	return __atomic_load_n(&t->kicks, __ATOMIC_SEQ_CST);
}

void mc_yield(void)
{
	struct thread *t = self();
	struct cpu *c;

	spin_lock(&run_lock);
	c = this_cpu();
	if (queue_waits(c) || !may_use(t, c->id)) {
		queue_add(t);
		if (!may_use(t, c->id))
			queue_tell(t);
		schedule();
	} else {
		c->slice_end = 0; /* who waited has found another CPU */
		spin_unlock(&run_lock);
		__builtin_ia32_pause();
	}
}

/* ---- sleeping on a word ---- */

static struct thread **bucket(const u32 *word) { return &lock_sleepers[hash_u64((u64)word) % ARRAY_SIZE(lock_sleepers)]; }

void mc_lock_wait(u32 *word, u32 val)
{
	struct thread *t = self(), **b = bucket(word);

	spin_lock(&run_lock);
	if (READ_ONCE(*word) != val) {
		spin_unlock(&run_lock);
		return;
	}
	t->lock_word = word;
	t->intr = false;
	t->state = T_PARKED;
	while (*b)
		b = &(*b)->next;
	t->next = NULL;
	*b = t;
	schedule();
}

void mc_lock_wake(u32 *word, int n)
{
	struct thread **b = bucket(word), *t;

	spin_lock(&run_lock);
	while (n > 0 && (t = *b)) {
		if (t->lock_word != word) {
			b = &t->next;
			continue;
		}
		*b = t->next;
		t->lock_word = NULL;
		t->wants = 0;
		make_runnable(t);
		n--;
	}
	spin_unlock(&run_lock);
}

/* ---- user mode, user memory and the TLB ---- */

static void flush_if_asked(struct cpu *c)
{
	u64 cr3;

	if (!__atomic_exchange_n(&c->flush, 0, __ATOMIC_SEQ_CST))
		return;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	write_cr3(cr3);
}

/* The mode is changed before the look, whoever asks looks at the mode afterwards: one of the two sees the other. */
static void set_mode(struct cpu *c, u32 mode)
{
	__atomic_exchange_n(&c->mode, mode, __ATOMIC_SEQ_CST);
	flush_if_asked(c);
}

bool cpu_enter_user(void)
{
	struct cpu *c = this_cpu();

	set_mode(c, CPU_USER);
	if (!(__atomic_load_n(&c->thread->work, __ATOMIC_SEQ_CST) & ~WORK_FULL) && !c->resched && may_use(c->thread, c->id) &&
	    (!queue_waits(c) || c->slice_end))
		return false;
	c->mode = CPU_KERNEL;
	return true;
}

void cpu_uaccess(bool on) { set_mode(this_cpu(), on ? CPU_UACCESS : CPU_KERNEL); }

/* The entries are changed already. Returns when no CPU uses old ones any more. */
void flush_space(struct space *s)
{
	struct cpu *me = this_cpu();
	u32 i;

	if (me->space == s)
		write_cr3(space_root(s));
	for (i = 0; i < ncpus; i++) {
		struct cpu *c = &cpus[i];

		if (c == me || READ_ONCE(c->space) != s)
			continue;
		__atomic_store_n(&c->flush, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&c->mode, __ATOMIC_SEQ_CST) == CPU_USER)
			lapic_send(i, KVM_VEC_KICK);
	}
	for (i = 0; i < ncpus; i++) {
		struct cpu *c = &cpus[i];

		while (c != me && __atomic_load_n(&c->flush, __ATOMIC_SEQ_CST) && READ_ONCE(c->mode) != CPU_KERNEL)
			__builtin_ia32_pause();
	}
}

void cpu_load_space(struct space *s)
{
	struct cpu *c = this_cpu();

	if (c->space == s)
		return;
	/* A flush that is asked for from here on is for the new tables, which are loaded below at the latest. */
	__atomic_store_n(&c->space, s, __ATOMIC_SEQ_CST);
	write_cr3(s ? space_root(s) : KVM_TABLES_GPA);
}
