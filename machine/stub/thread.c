/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, sleeping and waking. One eventfd for each thread serves unpark and kick, alone or beside
 * other descriptors. */
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stub_impl.h"

#define STACK_SIZE   (2 << 20)
#define FS_USER_EXIT 60
#define NSEC	     1000000000ULL

static __thread struct stub_thread *self;
static stub_user_fn added_image; /* of processes that the hypervisor adds */

struct stub_thread *stub_self(void)
{
	return self;
}

struct task *mc_current(void)
{
	return self->task;
}

static struct stub_thread *thread_alloc(struct task *t)
{
	struct stub_thread *s = calloc(1, sizeof(*s));

	STUB_CHECK(s);
	s->refs = 1;
	s->task = t;
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	STUB_CHECK(s->wake_fd >= 0);
	return s;
}

static void thread_put(struct stub_thread *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close(s->wake_fd);
	free(s);
}

struct task *mc_task_alloc(size_t size)
{
	struct task *t = calloc(1, size);

	if (t)
		mc_of(t)->opaque[0] = (u64)thread_alloc(t);
	return t;
}

void mc_task_free(struct task *t)
{
	struct stub_thread *s = stub_of(t);

	thread_put(s);
	memset(t, 0xdb, sizeof(struct mc_thread));
	free(t);
}

struct task *stub_first_task(size_t size)
{
	struct task *t = mc_task_alloc(size);

	self = stub_of(t);
	self->refs++;
	self->host_tid = (u32)gettid();
	self->space = space_new();
	return t;
}

/* User mode is over: the function's result is the exit code. */
static void user_exit(int code)
{
	for (;;)
		stub_syscall(FS_USER_EXIT, (u64)code, 0, 0, 0, 0, 0);
}

static void *thread_main(void *arg)
{
	struct stub_thread *s = arg;
	uaddr_t start = s->regs.rip;

	self = s;
	__atomic_store_n(&s->host_tid, (u32)gettid(), __ATOMIC_RELAXED);
	if (s->how == MC_KERNEL)
		kernel_thread_main(s->task);
	if (s->how == MC_NEW)
		kernel_process_main(s->task);
	kernel_task_start(s->task);
	while (mc_of(s->task)->work)
		kernel_user_work(&s->regs);
	stub_return_to(s, start); /* a signal may have come before its first instruction */
	user_exit(s->fn ? s->fn(s->arg) : 0);
	return NULL;
}

static struct space *child_space(enum mc_start how)
{
	switch (how) {
	case MC_FORK:
		return space_fork(self->space);
	case MC_KERNEL:
		return NULL;
	case MC_NEW:
		return space_new();
	default:
		return space_get(self->space);
	}
}

int mc_thread_start(struct task *child, enum mc_start how, const struct pt_regs *regs)
{
	struct stub_thread *s = stub_of(child);
	pthread_attr_t attr;
	int ret;

	s->how = how;
	s->space = child_space(how);
	if (regs)
		s->regs = *regs;
	s->fsbase = self->fsbase;
	s->fn = self->child_fn;
	s->arg = self->child_arg;
	s->image_fn = how == MC_NEW ? added_image : NULL;
	s->refs++;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	ret = pthread_create(&s->thread, &attr, thread_main, s);
	pthread_attr_destroy(&attr);
	if (!ret)
		return 0;
	s->refs--;
	if (s->space)
		space_put(s->space);
	return -EAGAIN;
}

void mc_thread_exit(bool last)
{
	struct stub_thread *s = self;

	if (s->space)
		space_put(s->space);
	s->space = NULL;
	mc_task_free(s->task);
	thread_put(s);
	self = NULL;
	pthread_exit(NULL);
}

void stub_next_child(stub_user_fn fn, void *arg)
{
	self->child_fn = fn;
	self->child_arg = arg;
}

/* ---- vm0: takes what the hypervisor posts ---- */

static void *vm0_main(void *arg)
{
	u32 seen = 0, posted;

	self = stub_of(arg);
	self->host_tid = (u32)gettid();
	for (;;) {
		while ((posted = __atomic_load_n(&stub_ring->events, __ATOMIC_SEQ_CST)) == seen)
			syscall(SYS_futex, &stub_ring->events, FUTEX_WAIT, seen, NULL, NULL, 0);
		seen = posted;
		kernel_host_events();
	}
	return NULL;
}

void stub_start_vm0(size_t task_size, stub_user_fn image)
{
	pthread_t thread;

	added_image = image;
	STUB_CHECK(!pthread_create(&thread, NULL, vm0_main, mc_task_alloc(task_size)));
	pthread_detach(thread);
}

void stub_next_image(stub_user_fn fn, void *arg)
{
	self->image_fn = fn;
	self->image_arg = arg;
}

void mc_space_renew(void (*resume)(void *arg), void *arg)
{
	struct space *old = self->space;

	self->space = space_new();
	space_put(old);
	memset(&self->regs, 0xa5, sizeof(self->regs));
	resume(arg);
	while (mc_of(self->task)->work)
		kernel_user_work(&self->regs);
	user_exit(self->image_fn ? self->image_fn(self->image_arg) : 0);
	abort();
}

/* ---- sleeping ---- */

static void wake(struct stub_thread *s)
{
	u64 one = 1;

	STUB_CHECK(write(s->wake_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN);
}

void mc_unpark(struct task *t)
{
	struct stub_thread *s = stub_of(t);

	__atomic_store_n(&s->token, 1, __ATOMIC_SEQ_CST);
	wake(s);
}

void mc_kick(struct task *t)
{
	wake(stub_of(t));
}

/* There is no user code that could be in the way. */
u32 mc_kicks_taken(struct task *t, bool *known)
{
	*known = false;
	return 0;
}

bool stub_work_pending(void)
{
	return __atomic_load_n(&mc_of(self->task)->work, __ATOMIC_SEQ_CST) != 0;
}

static struct timespec *until(u64 deadline, struct timespec *ts)
{
	u64 now = mc_clock(CLOCK_MONOTONIC), left = deadline > now ? deadline - now : 0;

	if (deadline == MC_FOREVER)
		return NULL;
	*ts = (struct timespec){(time_t)(left / NSEC), (long)(left % NSEC)};
	return ts;
}

/* fds has room for one more. Number ready, 0: woken or kicked, -ETIMEDOUT. */
static int wait_once(struct pollfd *fds, int n, u64 deadline)
{
	struct timespec ts;
	u64 count;
	int ret;

	fds[n] = (struct pollfd){.fd = self->wake_fd, .events = POLLIN};
	ret = ppoll(fds, (nfds_t)n + 1, until(deadline, &ts), NULL);
	if (ret == 0)
		return -ETIMEDOUT;
	STUB_CHECK(ret > 0 || errno == EINTR);
	if (ret > 0 && fds[n].revents) {
		/* Drained before the token and the work are looked at again: nothing is lost. */
		if (read(self->wake_fd, &count, sizeof(count)) < 0)
			STUB_CHECK(errno == EAGAIN);
		ret--;
	}
	return ret < 0 ? 0 : ret;
}

#define WAIT_MAX 1024

/* Number of fds ready; 0: unparked; -ETIMEDOUT; -EINTR: work is pending. */
int stub_wait(struct pollfd *fds, int n, u64 deadline, bool interruptible)
{
	struct pollfd all[WAIT_MAX + 1];
	int ret;

	STUB_CHECK(n <= WAIT_MAX);
	if (n && !deadline) { /* only a look: a wake-up is not for it */
		ret = poll(fds, (nfds_t)n, 0);
		return ret > 0 ? ret : -ETIMEDOUT;
	}
	for (int i = 0; i < n; i++)
		all[i] = fds[i];
	for (;;) {
		if (__atomic_exchange_n(&self->token, 0, __ATOMIC_SEQ_CST))
			return 0;
		if (interruptible && stub_work_pending())
			return -EINTR;
		ret = wait_once(all, n, deadline);
		if (ret)
			break;
	}
	for (int i = 0; i < n; i++)
		fds[i] = all[i];
	return ret;
}

int mc_park(u64 deadline)
{
	return stub_wait(NULL, 0, deadline, true);
}

int mc_park_killable(u64 deadline)
{
	return stub_wait(NULL, 0, deadline, false);
}

void mc_yield(void)
{
	sched_yield();
}

void mc_thread_nice(struct task *t, int nice) { }
int mc_thread_affinity(struct task *t, const u64 *mask, u32 words)
{
	stub_of(t)->affinity = words ? mask[0] : 0;
	return 0;
}

u64 stub_affinity(struct task *t)
{
	return stub_of(t)->affinity;
}

int mc_cpu(void)
{
	return -1;
}

void mc_lock_wait(u32 *word, u32 val)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
}

void mc_lock_wake(u32 *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/* ---- accounting ---- */

void mc_cpu_time(struct task *t, bool process, u64 *user, u64 *sys)
{
	struct timespec ts = {0};

	clock_gettime(process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID, &ts);
	*user = (u64)ts.tv_sec * NSEC + (u64)ts.tv_nsec;
	*sys = 0;
}

int mc_usage(struct task *t, struct pv_proc_stat *st)
{
	u32 tid = __atomic_load_n(&stub_of(t)->host_tid, __ATOMIC_RELAXED);
	struct pv_slot s;
	s64 ret;

	if (!tid)
		return -ESRCH;
	mc_pv_get(&s);
	s.req.cmd = PV_PROC_STAT;
	s.req.u.ctl.pid = tid;
	ret = mc_pv_call(&s);
	if (ret >= 0)
		memcpy(st, s.buf, sizeof(*st));
	mc_pv_put(&s);
	return ret < 0 ? (int)ret : 0;
}

u64 mc_clock(int clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return 0;
	return (u64)ts.tv_sec * NSEC + (u64)ts.tv_nsec;
}
