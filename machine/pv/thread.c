// SPDX-License-Identifier: Apache-2.0
/* Threads: task blocks, start and end, park and kick. */
#include <asm/mman.h>
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#include "hostcall.h"
#include "sched.h"

_Static_assert(SIG_KICK == SIG_KICK_NR, "the filter and the machine disagree");

#define SPIN_GAP_MIN 64 /* sleeps between two attempts: spin_try() */

/* Blocks of threads that ended or are about to: reusable once `dead` is set (entry.S, hostcall_site_exit). */
static struct pv_thread *free_blocks __attribute__((section(".data.hot")));
static struct mutex free_lock __attribute__((section(".data.hot")));

static struct pv_thread *block_recycle(void)
{
	struct pv_thread **pp, *t;

	for (pp = &free_blocks; (t = *pp); pp = &t->next_free) {
		if (__atomic_load_n(&t->dead, __ATOMIC_ACQUIRE)) {
			*pp = t->next_free;
			return t;
		}
	}
	return NULL;
}

/* The first ones lie beside the kernel's data, which one page table has along with them. */
static struct pv_thread *block_new(void)
{
	static u32 used;

	if (used == KBLOCKS_SIZE)
		return pv_arena_alloc(TBLOCK_SIZE); /* everything in the arena is a multiple of a block: so blocks are aligned */
	used += TBLOCK_SIZE;
	return (struct pv_thread *)(KMEM_BASE + used - TBLOCK_SIZE);
}

/*
 * A new process has none of the VM's shared pages mapped. A read that faults maps the pages around it along with its own,
 * a write does not: so the first look at what every process needs soon is a read.
 */
void pv_touch_shared(const struct pv_thread *t)
{
	static const char *const windows[] = { (char *)KDATA_BASE, (char *)KHEAP_BASE, (char *)KHEAP_BASE + 0x10000,
					       (char *)KMEM_BASE, (char *)KMEM_BASE + 0x10000, (char *)COUNTERS };

	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		(void)*(const volatile char *)windows[i];
	(void)*(volatile u32 *)t->live;
}

struct task *mc_task_alloc(size_t size)
{
	struct pv_thread *t;

	BUG_ON(size > TBLOCK_ALT);
	mutex_lock(&free_lock);
	t = block_recycle();
	if (!t)
		t = block_new();
	mutex_unlock(&free_lock);
	if (!t)
		return NULL;
	memset(t, 0, size);
	t->self = t;
	t->spin.left = SPIN_GAP_MIN; /* it sleeps a few times first: most threads do no more */
	t->regs = (struct pt_regs *)((char *)t + TBLOCK_REGS);
	return (struct task *)t;
}

static void block_push(struct pv_thread *t)
{
	mutex_lock(&free_lock);
	t->next_free = free_blocks;
	free_blocks = t;
	mutex_unlock(&free_lock);
}

void mc_task_free(struct task *task)
{
	pv_of(task)->dead = 1;
	block_push(pv_of(task));
}

/*
 * `live` can be freed when no sibling will count itself off in it any more. They are about to end, so
 * this is short. (The host process ends with whoever ends last: exit_group is not needed.)
 */
static void await_siblings(struct pv_thread *t)
{
	int i;

	for (i = 0; __atomic_load_n(t->live, __ATOMIC_ACQUIRE) > 1; i++) {
		if (i < 1000)
			__builtin_ia32_pause();
		else
			mc_yield();
	}
}

void mc_thread_exit(bool last)
{
	static u32 nobody;
	struct pv_thread *t = pv_self();

	if (last) {
		await_siblings(t);
		kfree(t->live);
		t->live = &nobody;
	}
	t->dead = 0;
	block_push(t);
	__asm__ volatile("jmp hostcall_site_exit"
			 ::"a"((long)__NR_exit), "D"(0L) : "memory");
	__builtin_unreachable();
}

struct task *mc_current(void) { return (struct task *)pv_self(); }
struct pt_regs *mc_regs(struct task *t) { return pv_of(t)->regs; }
void mc_regs_changed(void) { __atomic_or_fetch(&pv_self()->work, WORK_FULL, __ATOMIC_RELAXED); }

long pv_clone(struct pv_thread *child, u64 flags)
{
	register long r12 __asm__("r12") = (long)child;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long ret;

	pv_self()->nhostcalls++;
	__asm__ volatile("call hostcall_site_clone"
			 : "=a"(ret)
			 : "D"(flags), "S"(child->regs), "d"(&child->new_tid), "r"(r10), "r"(r8), "r"(r12)
			 : "rcx", "r11", "memory");
	return ret;
}

bool pv_count_live(struct pv_thread *t, u32 *live)
{
	t->live = live ? live : kzalloc(sizeof(u32));
	if (t->live)
		__atomic_fetch_add(t->live, 1, __ATOMIC_RELAXED);
	return t->live != NULL;
}

static void uncount_live(struct pv_thread *t)
{
	if (__atomic_sub_fetch(t->live, 1, __ATOMIC_RELAXED) == 0)
		kfree(t->live);
}

#define CLONE_TRIES 32 /* somebody else may take the place of one that was reaped */

/* A pids limit counts those, too, that have ended and are not reaped yet. */
static long clone_in_limit(struct pv_thread *child, u64 flags)
{
	u32 reaped, tries = 0;
	long r;

	do {
		reaped = pv_reaped();
		r = pv_clone(child, flags);
	} while (r == -EAGAIN && ++tries < CLONE_TRIES && pv_await_reaping(reaped));
	return r;
}

int mc_thread_start(struct task *task, enum mc_start how, const struct pt_regs *regs)
{
	static const u64 flags[] = {
		[MC_THREAD] = CLONE_FLAGS_THREAD,
		[MC_FORK] = CLONE_FLAGS_FORK,
		[MC_VFORK] = CLONE_FLAGS_VFORK,
		[MC_NEW] = CLONE_FLAGS_FIRST, /* by vm0: a copy of its space, whose user half is empty */
	};
	struct pv_thread *child = pv_of(task), *me = pv_self();
	long r;

	child->how = how;
	if (how == MC_KERNEL)
		return pv_vm0_start(child);
	if (regs)
		*child->regs = *regs;
	child->shared_space = how == MC_VFORK || (how == MC_THREAD && me->shared_space);
	child->host_pid = how == MC_THREAD ? me->host_pid : 0;
	if (!pv_count_live(child, how == MC_THREAD ? me->live : NULL))
		return -ENOMEM;
	r = clone_in_limit(child, flags[how]);
	if (r < 0)
		uncount_live(child);
	if (how == MC_FORK)
		pv_patch_wishes(); /* now, as the child is running already: for the next one */
	if (how == MC_FORK || how == MC_VFORK)
		pv_text_fetch(); /* so is this */
	return r < 0 ? (int)r : 0;
}

/* First C code of a started thread, on its own kernel stack. entry.S then leaves to user mode with its registers. */
void pv_child_main(struct pv_thread *t)
{
	if (t->how == MC_FORK) {
		pv_touch_shared(t);
		if (PRIV->patch_lock.state) /* its holder is not in this process; most children write nothing on that page */
			PRIV->patch_lock.state = 0;
	}
	if (t->how != MC_THREAD && t->how != MC_KERNEL)
		t->host_pid = t->new_tid;
	pv_signal_stack(t);
	/* Kicks before this would run the handler on the parent's signal stack; work is looked at on the way out. */
	__atomic_store_n(&t->host_tid, t->new_tid, __ATOMIC_RELEASE);
	if (t->boot)
		kernel_boot();
	if (t->how == MC_KERNEL)
		kernel_thread_main((struct task *)t);
	if (t->how == MC_NEW)
		kernel_process_main((struct task *)t);
	kernel_task_start((struct task *)t);
}

/* ---- park, unpark, kick ---- */

int pv_futex_wait(u32 *word, u32 val, u64 deadline, bool intr)
{
	struct __kernel_timespec ts, *tp = NULL;

	if (deadline != MC_FOREVER) {
		ts.tv_sec = (s64)(deadline / NSEC_PER_SEC);
		ts.tv_nsec = (s64)(deadline % NSEC_PER_SEC);
		tp = &ts;
	}
	if (intr)
		return (int)hostcall_intr(futex, word, FUTEX_WAIT_BITSET, val, tp, 0, FUTEX_BITSET_MATCH_ANY);
	return (int)hostcall(futex, word, FUTEX_WAIT_BITSET, val, tp, 0, FUTEX_BITSET_MATCH_ANY);
}

/*
 * To be woken by the host costs 20 to 50 us where that has to start an idle CPU of a VM, and 1 where waker and sleeper share
 * a CPU. Threads that answer each other at once on two CPUs need not sleep at all; on one, or on busy ones, looking
 * would only keep the other from running. So a thread knows what a wait costs it when it sleeps, tries now and
 * then to look for the wake-up first, and goes on with that only as long as the waits are the shorter for it.
 * Costs are running averages, in ticks of the time stamp counter.
 */
#define PARK_SPIN 1500 /* about 75 us, so that one who looks meets one who has to be woken */
#define SPIN_GAP_MAX 8192
#define WAIT_SHORT 8000   /* 3 us: it cannot get much better */
#define WAIT_LONG 250000  /* 100 us: looking is in vain */
#define WAIT_MAX (8 * WAIT_LONG)

static void spin_try(struct pv_thread *t)
{
	if (t->spin.left--)
		return;
	t->spin.gap = clamp(t->spin.gap * 2, (u32)SPIN_GAP_MIN, (u32)SPIN_GAP_MAX);
	t->spin.left = t->spin.gap;
	t->spin.on = BOOT->ncpus > 1 && t->spin.sleep_cost > WAIT_SHORT && t->spin.sleep_cost < WAIT_LONG;
	t->spin.cost = t->spin.sleep_cost / 2;
}

static void spin_account(struct pv_thread *t, u64 ticks)
{
	u32 *cost = t->spin.on ? &t->spin.cost : &t->spin.sleep_cost;

	*cost = *cost - *cost / 8 + (u32)min(ticks, (u64)WAIT_MAX) / 8;
	if (!t->spin.on)
		spin_try(t);
	else if (t->spin.cost > t->spin.sleep_cost / 4 * 3)
		t->spin.on = false;
	else if (t->spin.cost < t->spin.sleep_cost / 4)
		t->spin.gap = 0;
}

/* Has the wake-up come? */
static bool woken_soon(struct pv_thread *t, bool intr)
{
	for (u32 i = 0; i < PARK_SPIN && !(intr && READ_ONCE(t->work)); i++) {
		if (READ_ONCE(t->token) == TOKEN_SET)
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static int park(u64 deadline, bool intr)
{
	struct pv_thread *t = pv_self();
	u64 start = __builtin_ia32_rdtsc();
	u32 none = TOKEN_NONE;
	int r;

	if (t->spin.on && woken_soon(t, intr))
		r = 0;
	else if (__atomic_compare_exchange_n(&t->token, &none, TOKEN_SLEEP, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		r = pv_futex_wait(&t->token, TOKEN_SLEEP, deadline, intr);
	else
		r = 0;
	spin_account(t, __builtin_ia32_rdtsc() - start);
	if (__atomic_exchange_n(&t->token, TOKEN_NONE, __ATOMIC_SEQ_CST) == TOKEN_SET)
		return 0;
	if (r == -ETIMEDOUT)
		return r;
	return intr && t->work ? -EINTR : 0;
}

int mc_park(u64 deadline) { return park(deadline, true); }
int mc_park_killable(u64 deadline) { return park(deadline, false); }

static void send_kick(struct pv_thread *t)
{
	u32 pid = t->host_pid ? t->host_pid : t->host_tid;

	if (t->host_tid)
		hostcall(tgkill, pid, t->host_tid, SIG_KICK);
}

void mc_unpark(struct task *task)
{
	struct pv_thread *t = pv_of(task);
	u32 old = __atomic_exchange_n(&t->token, TOKEN_SET, __ATOMIC_SEQ_CST);

	if (old == TOKEN_SLEEP)
		hostcall(futex, &t->token, FUTEX_WAKE, 1, 0, 0, 0);
	else if (old == TOKEN_HOST)
		send_kick(t);
}

void mc_kick(struct task *task)
{
	if (pv_of(task) != pv_self())
		send_kick(pv_of(task));
}

u32 mc_kicks_taken(struct task *task, bool *known)
{
	struct pv_thread *t = pv_of(task);

	*known = __atomic_load_n(&t->host_tid, __ATOMIC_SEQ_CST) != 0;
	return __atomic_load_n(&t->kicks, __ATOMIC_SEQ_CST);
}

void mc_lock_wait(u32 *word, u32 val)
{
	pv_futex_wait(word, val, MC_FOREVER, false);
}

void mc_lock_wake(u32 *word, int n)
{
	hostcall(futex, word, FUTEX_WAKE, n, 0, 0, 0);
}

/* Let others run: sleep for the shortest time the host knows. */
void mc_yield(void)
{
	u32 word = 0;

	pv_futex_wait(&word, 0, mc_clock(1 /* CLOCK_MONOTONIC */) + 1000, false);
}

/* The host schedules. What it does not let us set is reported only; a thread that has no number yet inherits on the host, too. */
static void schedule_call(struct task *t, u32 cmd, u64 arg, const u64 *mask, u32 words)
{
	struct pv_slot s;

	if (!__atomic_load_n(&pv_of(t)->host_tid, __ATOMIC_ACQUIRE))
		return;
	mc_pv_get(&s);
	s.req.cmd = cmd;
	s.req.u.ctl = (struct pv_req_ctl){ .arg = arg, .len = words * (u32)sizeof(u64), .pid = pv_of(t)->host_tid };
	if (words)
		memcpy(s.buf, mask, words * sizeof(u64));
	mc_pv_call(&s);
	mc_pv_put(&s);
}

int mc_thread_affinity(struct task *t, const u64 *mask, u32 words)
{
	schedule_call(t, PV_AFFINITY, cpu_count(), mask, words);
	return 0;
}

void mc_thread_nice(struct task *t, int nice)
{
	schedule_call(t, PV_NICE, (u64)(s64)nice, NULL, 0);
}

int mc_cpu(void) { return -1; }

void pv_user_work(struct pt_regs *regs)
{
	struct pv_thread *t = pv_self();

	while (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & ~WORK_FULL)
		kernel_user_work(regs);
	__atomic_and_fetch(&t->work, ~WORK_FULL, __ATOMIC_SEQ_CST);
}

void pv_bounced(struct pt_regs *regs)
{
	struct pv_thread *t = pv_self();
	u32 sig = t->fault_sig;

	if (!sig)
		return;
	t->fault_sig = 0;
	kernel_user_fault(regs, (int)sig, t->fault_code, t->fault_addr, t->fault_trapno, t->fault_err);
}

s64 pv_trapped_syscall(struct pt_regs *regs)
{
	__atomic_fetch_add(&COUNTERS->traps, 1, __ATOMIC_RELAXED);
	if (!BOOT->no_patch && !PRIV->patch_off) {
		pv_text_trapped(regs->rip - 2, regs->orig_rax);
		pv_patch_consider(regs);
	}
	return kernel_syscall(regs);
}

u64 mc_get_fsbase(void)
{
	u64 base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void mc_set_fsbase(u64 base) { __asm__ volatile("wrfsbase %0" ::"r"(base)); }
