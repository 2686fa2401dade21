// SPDX-License-Identifier: Apache-2.0
/* vm0: pid 1 of the VM's pid namespace. It starts kernel threads, takes events, and reaps the host processes. */
#include <asm/signal.h>
#include <linux/wait.h>

#include "hostcall.h"

/* Kernel threads to be started. */
static struct pv_thread *kthread_queue __attribute__((section(".data.hot")));
static struct mutex queue_lock __attribute__((section(".data.hot")));
static struct pv_thread *vm0_thread __attribute__((section(".data.hot")));
static u32 vm0_live = 2; /* vm0 and its kernel threads never end */

int pv_vm0_start(struct pv_thread *child)
{
	mutex_lock(&queue_lock);
	child->next_free = kthread_queue;
	kthread_queue = child;
	mutex_unlock(&queue_lock);
	__atomic_or_fetch(&vm0_thread->work, 1, __ATOMIC_SEQ_CST);
	mc_kick((struct task *)vm0_thread);
	return 0;
}

static void start_queued(void)
{
	struct pv_thread *t, *next;

	mutex_lock(&queue_lock);
	t = kthread_queue;
	kthread_queue = NULL;
	mutex_unlock(&queue_lock);
	for (; t; t = next) {
		next = t->next_free;
		t->host_pid = 1;
		t->live = &vm0_live;
		if (pv_clone(t, CLONE_FLAGS_THREAD) < 0)
			panic("vm0: cannot start a kernel thread");
	}
}

static void start_first(void)
{
	struct pv_thread *t = (struct pv_thread *)mc_task_alloc(TBLOCK_ALT);

	if (!t)
		panic("no memory for the first process");
	t->how = MC_FORK;
	t->boot = true;
	if (!pv_count_live(t, NULL))
		panic("no memory for the first process");
	if (pv_clone(t, CLONE_FLAGS_FIRST) < 0)
		panic("vm0: cannot start the first process");
}

/* Whatever is posted after this look comes with a kick. */
static void take_events(void)
{
	static u32 seen;
	u32 posted = __atomic_load_n(&RING->events, __ATOMIC_SEQ_CST);

	if (posted == seen)
		return;
	seen = posted;
	kernel_host_events();
}

bool pv_is_vm0(void) { return pv_self() == vm0_thread; }

static void name_vm0(void)
{
	char name[128];
	int n = snprintf(name, sizeof(name), "callgate: vm0 %s", BOOT->id ? (char *)BOOT + BOOT->id : "");

	mc_set_cmdline(name, min((size_t)n, sizeof(name) - 1));
}

/* ---- reaping ---- */

/*
 * Processes that end shortly after each other are reaped together: to be woken for each is two switches, and takes a CPU from those
 * who work. Nobody misses one that is reaped late but a pids limit: pv_await_reaping().
 */
#define REAP_PAUSE 2000000u /* ns */
#define REAP_SOON 50000000u   /* ns: for one that comes to its end */
#define REAP_LATE 1000000000u /* ns after the last one: then the limit is one of those who live */

static u64 last_reaped __attribute__((section(".data.hot")));
static u32 nreaped __attribute__((section(".data.hot")));

u32 pv_reaped(void) { return __atomic_load_n(&nreaped, __ATOMIC_SEQ_CST); }

/* Orderly ends are exit status 0 (mc_thread_exit). Everything else is a crash of the VM. */
static void reaped(long pid, int status)
{
	if ((status & 0x7f) == 0 && status == 0)
		return;
	if ((status & 0x7f) == SIGKILL)
		panic("host process %ld of the VM was killed (SIGKILL from outside, or out of memory)", pid);
	panic("host process %ld of the VM ended with wait status %#x", pid, status);
}

static bool reap(int options)
{
	int status = 0;
	long pid = hostcall_intr(wait4, -1, &status, __WALL | options, 0);

	if (pid < 0 && pid != -EINTR)
		panic("vm0: no guest process is left (wait4: %ld)", pid);
	if (pid <= 0)
		return false;
	reaped(pid, status);
	__atomic_fetch_add(&nreaped, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* Who has been waited for by its parent may take a while to come to its end: it is on its own, and others want the CPU. */
bool pv_await_reaping(u32 seen)
{
	u64 soon = mc_clock(1 /* CLOCK_MONOTONIC */) + REAP_SOON;

	if (pv_is_vm0())
		return reap(WNOHANG);
	mc_kick((struct task *)vm0_thread);
	while (pv_reaped() == seen) {
		if (mc_clock(1) > max(soon, READ_ONCE(last_reaped) + REAP_LATE))
			return false;
		mc_yield();
	}
	return true;
}

/* One that ends, or those that have ended in a while; a kick ends the wait. True: the next ones shortly, too. */
static bool reap_some(bool many)
{
	u64 before = last_reaped, now;
	u32 n = 0;

	if (many)
		pv_futex_wait(&n, 0, before + REAP_PAUSE, true);
	while (reap(many ? WNOHANG : 0)) {
		n++;
		if (!many)
			break;
	}
	now = mc_clock(1);
	if (n)
		WRITE_ONCE(last_reaped, now);
	return many ? n > 1 : n && now - before < REAP_PAUSE;
}

void pv_vm0_main(void)
{
	bool many = false;

	vm0_thread = pv_self();
	name_vm0();
	start_first();
	for (;;) {
		__atomic_and_fetch(&vm0_thread->work, 0, __ATOMIC_SEQ_CST);
		start_queued();
		take_events();
		many = reap_some(many);
	}
}
