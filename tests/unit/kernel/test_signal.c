/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: queues, masks, delivery, restarts, job control, who may signal whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/poll.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#include "fs.h"
#include "harness.h"
#include "task.h"

#define INFO_CODE 8 /* offsets in siginfo_t */
#define INFO_PID 16
#define INFO_VALUE 24
#define CONTEXT_MASK 296 /* in struct ucontext */

static u32 hits, last_sig;
static int seen_code, seen_pid, seen_value;
static u64 seen_sp;
static int order[16];

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
	seen_code = (int)peek32(info + INFO_CODE);
	seen_pid = (int)peek32(info + INFO_PID);
	seen_value = (int)peek32(info + INFO_VALUE);
	seen_sp = info;
	last_sig = (u32)sig;
	order[hits % ARRAY_SIZE(order)] = sig < 32 ? sig : seen_value;
	__atomic_fetch_add(&hits, 1, __ATOMIC_SEQ_CST);
}

#define HITS __atomic_load_n(&hits, __ATOMIC_SEQ_CST)

static long mask_op(int how, u64 mask)
{
	return sc(__NR_rt_sigprocmask, how, uput(&mask, 8), 0, 8);
}

static u64 blocked(void)
{
	uaddr_t at = ualloc(8);

	CHECK_EQ(sc(__NR_rt_sigprocmask, 0, 0, at, 8), 0);
	return peek64(at);
}

static u64 pending(void)
{
	uaddr_t at = ualloc(8);

	CHECK_EQ(sc(__NR_rt_sigpending, at, 8), 0);
	return peek64(at);
}

static long me(void)
{
	return sc(__NR_getpid);
}

static long queue(long pid, int sig, int value)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_value.sival_int = value;
	return sc(__NR_rt_sigqueueinfo, pid, sig, uput(&info, sizeof(info)));
}

static void set_action(int sig, u64 handler)
{
	struct ksigaction a = { .handler = handler };

	CHECK_EQ(sc(__NR_rt_sigaction, sig, uput(&a, sizeof(a)), 0, 8), 0);
}

/* ---- one process with itself ---- */

VM_TEST(handler_runs)
{
	handle(SIGUSR1, on_signal, SA_SIGINFO);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(HITS, 1);
	CHECK_EQ(last_sig, SIGUSR1);
	CHECK_EQ(seen_code, SI_USER);
	CHECK_EQ(seen_pid, me());
	CHECK_EQ(sc(__NR_tgkill, me(), sc(__NR_gettid), SIGUSR1), 0);
	CHECK_EQ(HITS, 2);
	CHECK_EQ(seen_code, SI_TKILL);
	CHECK_EQ(sc(__NR_kill, me(), 0), 0);
	CHECK_EQ(sc(__NR_kill, me(), 65), -EINVAL);
	CHECK_EQ(sc(__NR_kill, 4242, SIGUSR1), -ESRCH);
	CHECK_EQ(sc(__NR_tgkill, me(), 4242, SIGUSR1), -ESRCH);
	CHECK_EQ(sc(__NR_rt_sigaction, SIGKILL, ualloc(32), 0, 8), -EINVAL);
	CHECK_EQ(sc(__NR_rt_sigaction, SIGKILL, 0, ualloc(32), 8), 0);
}

static u64 mask_in_handler, mask_saved;

static void note_mask(int sig, uaddr_t info, uaddr_t context)
{
	mask_in_handler = blocked();
	mask_saved = peek64(context + CONTEXT_MASK);
	hits++;
}

VM_TEST(masks)
{
	handle(SIGUSR1, note_mask, SA_SIGINFO);
	CHECK_EQ(mask_op(SIG_BLOCK, ~0ULL), 0);
	CHECK_EQ(blocked(), ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
	CHECK_EQ(mask_op(SIG_SETMASK, SIGBIT(SIGUSR1) | SIGBIT(SIGHUP)), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(HITS, 0);
	CHECK_EQ(pending(), SIGBIT(SIGUSR1));
	CHECK_EQ(mask_op(SIG_UNBLOCK, SIGBIT(SIGUSR1)), 0);
	CHECK_EQ(HITS, 1);
	CHECK_EQ(mask_in_handler, SIGBIT(SIGUSR1) | SIGBIT(SIGHUP));
	CHECK_EQ(mask_saved, SIGBIT(SIGHUP));
	CHECK_EQ(blocked(), SIGBIT(SIGHUP));
	CHECK_EQ(mask_op(7, 0), -EINVAL);
	CHECK_EQ(sc(__NR_rt_sigprocmask, 0, 0, 0, 4), -EINVAL);
	CHECK_EQ(sc(__NR_rt_sigprocmask, 0, 0x1000, 0, 8), -EFAULT);
	handle(SIGUSR2, note_mask, SA_NODEFER | SA_RESETHAND);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR2), 0);
	CHECK_EQ(mask_in_handler, SIGBIT(SIGHUP));
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR2), 0); /* default now, which does nothing to pid 1 */
	CHECK_EQ(HITS, 2);
}

VM_TEST(realtime_queue)
{
	struct rlimit limit = { 3, 3 };

	handle(40, on_signal, SA_SIGINFO);
	handle(34, on_signal, SA_SIGINFO);
	CHECK_EQ(mask_op(SIG_SETMASK, ~0ULL), 0);
	for (int i = 1; i <= 3; i++)
		CHECK_EQ(queue(me(), 40, i), 0);
	CHECK_EQ(queue(me(), 34, 9), 0);
	CHECK_EQ(sc(__NR_kill, me(), 34), 0);
	CHECK_EQ(pending(), SIGBIT(40) | SIGBIT(34));
	CHECK_EQ(mask_op(SIG_SETMASK, 0), 0);
	CHECK_EQ(HITS, 5);
	/*
	 * Taken lowest first, each a frame on top of the one before: they run in the opposite
	 * order.
	 */
	CHECK_EQ(order[0] + order[1] + order[2], 1 + 2 + 3);
	CHECK_EQ(mask_op(SIG_SETMASK, ~0ULL), 0);
	CHECK_EQ(sc(__NR_prlimit64, 0, RLIMIT_SIGPENDING, uput(&limit, sizeof(limit)), 0), 0);
	for (int i = 1; i <= 3; i++)
		CHECK_EQ(queue(me(), 40, i), 0);
	CHECK_EQ(queue(me(), 40, 4), -EAGAIN);
	CHECK_EQ(sc(__NR_kill, me(), 41), 0); /* without information, but pending */
	CHECK_EQ(pending(), SIGBIT(40) | SIGBIT(41));
}

VM_TEST(ignored)
{
	handle(SIGCHLD, on_signal, 0);
	set_action(SIGUSR1, 1);
	CHECK_EQ(mask_op(SIG_SETMASK, SIGBIT(SIGUSR1) | SIGBIT(SIGCHLD)), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGCHLD), 0);
	CHECK_EQ(pending(), SIGBIT(SIGUSR1) | SIGBIT(SIGCHLD));
	set_action(SIGUSR1, 1);
	set_action(SIGCHLD, 0);
	CHECK_EQ(pending(), 0);
	CHECK_EQ(mask_op(SIG_SETMASK, 0), 0);
	CHECK_EQ(HITS, 0);
}

VM_TEST(alternate_stack)
{
	stack_t s = { .ss_sp = (void *)ualloc(65536), .ss_size = 65536 }, old;
	uaddr_t at = uput(&s, sizeof(s)), old_at = ualloc(sizeof(old));

	CHECK_EQ(sc(__NR_sigaltstack, 0, old_at), 0);
	peek(old_at, &old, sizeof(old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK_EQ(sc(__NR_sigaltstack, at, 0), 0);
	handle(SIGUSR1, on_signal, SA_SIGINFO | SA_ONSTACK);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK(seen_sp > (u64)s.ss_sp && seen_sp < (u64)s.ss_sp + s.ss_size);
	handle(SIGUSR1, on_signal, SA_SIGINFO);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK(!(seen_sp > (u64)s.ss_sp && seen_sp < (u64)s.ss_sp + s.ss_size));
	s.ss_size = 100;
	CHECK_EQ(sc(__NR_sigaltstack, uput(&s, sizeof(s)), 0), -ENOMEM);
	s.ss_flags = 8;
	CHECK_EQ(sc(__NR_sigaltstack, uput(&s, sizeof(s)), 0), -EINVAL);
	s.ss_flags = SS_DISABLE;
	CHECK_EQ(sc(__NR_sigaltstack, uput(&s, sizeof(s)), old_at), 0);
	peek(old_at, &old, sizeof(old));
	CHECK_EQ((u64)old.ss_size, 65536);
}

static long wait_for(u64 mask, u64 ns)
{
	struct __kernel_timespec ts = { 0, (s64)ns };

	return sc(__NR_rt_sigtimedwait, uput(&mask, 8), 0, uput(&ts, sizeof(ts)), 8);
}

VM_TEST(timed_wait)
{
	CHECK_EQ(mask_op(SIG_SETMASK, SIGBIT(SIGUSR1) | SIGBIT(SIGCHLD)), 0);
	CHECK_EQ(wait_for(SIGBIT(SIGUSR1), 0), -EAGAIN);
	CHECK_EQ(wait_for(SIGBIT(SIGUSR1), 5000000), -EAGAIN);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(wait_for(SIGBIT(SIGUSR1), 5000000), SIGUSR1);
	CHECK_EQ(pending(), 0);
	CHECK_EQ(blocked(), SIGBIT(SIGUSR1) | SIGBIT(SIGCHLD));
}

static int signal_parent_later(void *arg)
{
	sleep_ms(30);
	CHECK_EQ(sc(__NR_kill, sc(__NR_getppid), (long)arg), 0);
	return 0;
}

VM_TEST(suspends)
{
	u64 none = 0, other = SIGBIT(SIGUSR2);

	handle(SIGUSR1, note_mask, SA_RESTART);
	CHECK_EQ(mask_op(SIG_SETMASK, SIGBIT(SIGUSR1)), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(sc(__NR_rt_sigsuspend, uput(&none, 8), 8), -EINTR);
	CHECK_EQ(HITS, 1);
	CHECK_EQ(mask_saved, SIGBIT(SIGUSR1));
	CHECK_EQ(blocked(), SIGBIT(SIGUSR1));
	CHECK(fork_run(signal_parent_later, (void *)SIGUSR1) > 0);
	CHECK_EQ(sc(__NR_rt_sigsuspend, uput(&other, 8), 8), -EINTR);
	CHECK_EQ(mask_in_handler, SIGBIT(SIGUSR1) | other);
	CHECK_EQ(blocked(), SIGBIT(SIGUSR1));
	CHECK(fork_run(signal_parent_later, (void *)SIGUSR1) > 0);
	CHECK_EQ(wait_for(SIGBIT(SIGUSR1), 900000000), SIGUSR1);
	CHECK_EQ(mask_op(SIG_SETMASK, 0), 0);
	CHECK(fork_run(signal_parent_later, (void *)SIGUSR1) > 0);
	CHECK_EQ(sc(__NR_pause), -EINTR);
}

/* ---- interrupted calls ---- */

static uaddr_t new_pipe(void)
{
	uaddr_t fds = ualloc(8);

	CHECK_EQ(sc(__NR_pipe2, fds, 0), 0);
	return fds;
}

static uaddr_t pipe_fds;

static int signal_then_write(void *arg)
{
	sleep_ms(30);
	CHECK_EQ(sc(__NR_kill, sc(__NR_getppid), SIGUSR1), 0);
	sleep_ms(30);
	CHECK_EQ(sc(__NR_write, peek32(pipe_fds + 4), ustr("x"), 1), 1);
	return 0;
}

static long interrupted_read(u64 flags)
{
	u32 before = HITS;
	long pid, ret;

	pipe_fds = new_pipe();
	handle(SIGUSR1, on_signal, flags);
	pid = fork_run(signal_then_write, NULL);
	ret = sc(__NR_read, peek32(pipe_fds), ualloc(8), 8);
	CHECK_EQ(HITS, before + 1);
	CHECK_EQ(wait_status(pid), 0);
	return ret;
}

VM_TEST(restarts)
{
	CHECK_EQ(interrupted_read(0), -EINTR);
	CHECK_EQ(interrupted_read(SA_RESTART), 1);
	/* Ignored ones do not interrupt. */
	set_action(SIGWINCH, 0);
	pipe_fds = new_pipe();
	handle(SIGUSR1, on_signal, SA_RESTART);
}

static int stop_and_continue(void *arg)
{
	sleep_ms(20);
	CHECK_EQ(sc(__NR_kill, (long)arg, SIGSTOP), 0);
	sleep_ms(20);
	CHECK_EQ(sc(__NR_kill, (long)arg, SIGCONT), 0);
	return 0;
}

static int sleep_100ms(void *arg)
{
	struct __kernel_timespec ts = { 0, 100000000 };
	u64 start = mc_clock(1);

	CHECK_EQ(sc(__NR_nanosleep, uput(&ts, sizeof(ts)), 0), 0);
	CHECK(mc_clock(1) - start >= 100000000);
	CHECK(mc_clock(1) - start < 2000000000);
	return 7;
}

VM_TEST(sleep_goes_on_after_stop)
{
	long pid = fork_run(sleep_100ms, NULL), stopper = fork_run(stop_and_continue, (void *)pid);

	CHECK_EQ(wait_status(stopper), 0);
	CHECK_EQ(wait_status(pid), 7 << 8);
}

/* ---- other processes ---- */

static int sleep_long(void *arg)
{
	for (;;)
		sleep_ms(1000);
	return 0;
}

static int wait_event_of(long pid, int options)
{
	uaddr_t status = ualloc(4);

	CHECK_EQ(sc(__NR_wait4, pid, status, options, 0), pid);
	return (int)peek32(status);
}

VM_TEST(default_actions)
{
	long pid;

	for (int sig = 1; sig < 32; sig++) {
		if (sig == SIGCONT || sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH ||
		    sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			continue;
		pid = fork_run(sleep_long, NULL);
		CHECK_EQ(sc(__NR_kill, pid, sig), 0);
		CHECK_EQ(wait_status(pid), sig);
	}
}

static int with_thread(void *arg)
{
	CHECK(thread_run(sleep_long, NULL) > 0);
	return sleep_long(NULL);
}

static void stop_cycle(long pid, int stop)
{
	CHECK_EQ(sc(__NR_kill, pid, stop), 0);
	CHECK_EQ(wait_event_of(pid, WUNTRACED), stop << 8 | 0x7f);
	CHECK_EQ(sc(__NR_wait4, pid, 0, WUNTRACED | WCONTINUED | WNOHANG, 0), 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGCONT), 0);
	CHECK_EQ(wait_event_of(pid, WCONTINUED), 0xffff);
}

VM_TEST(stops)
{
	long pid = fork_run(with_thread, NULL);

	sleep_ms(20);
	handle(SIGCHLD, on_signal, SA_SIGINFO | SA_RESTART);
	stop_cycle(pid, SIGSTOP);
	CHECK(HITS >= 1);
	CHECK_EQ(seen_code, CLD_CONTINUED);
	handle(SIGCHLD, on_signal, SA_NOCLDSTOP | SA_RESTART);
	hits = 0;
	for (int i = 0; i < 20; i++)
		stop_cycle(pid, SIGSTOP);
	CHECK_EQ(HITS, 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGSTOP), 0);
	CHECK_EQ(wait_event_of(pid, WUNTRACED), SIGSTOP << 8 | 0x7f);
	CHECK_EQ(sc(__NR_kill, pid, SIGTERM), 0); /* waits for SIGCONT */
	CHECK_EQ(sc(__NR_wait4, pid, 0, WNOHANG, 0), 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(HITS, 1);
}

static int stop_me(void *arg)
{
	/* The group is orphaned unless it is a group of its own in the session of its parent. */
	if (arg)
		CHECK_EQ(sc(__NR_setpgid, 0, 0), 0);
	CHECK_EQ(sc(__NR_kill, sc(__NR_getpid), SIGTSTP), 0);
	return 3;
}

static int stop_grandchild(void *arg)
{
	long pid = fork_run(stop_me, (void *)1);

	CHECK_EQ(wait_event_of(pid, WUNTRACED), SIGTSTP << 8 | 0x7f);
	CHECK_EQ(sc(__NR_kill, pid, SIGCONT), 0);
	CHECK_EQ(wait_status(pid), 3 << 8);
	return 0;
}

VM_TEST(orphaned_groups_do_not_stop)
{
	long pid = fork_run(stop_me, NULL);

	CHECK_EQ(wait_status(pid), 3 << 8);
	CHECK_EQ(wait_status(fork_run(stop_grandchild, NULL)), 0);
}

static int kill_init(void *arg)
{
	CHECK_EQ(sc(__NR_kill, 1, SIGKILL), 0);
	CHECK_EQ(sc(__NR_kill, 1, SIGTERM), 0);
	CHECK_EQ(sc(__NR_kill, 1, SIGSTOP), 0);
	CHECK_EQ(sc(__NR_kill, 1, SIGUSR1), 0);
	CHECK_EQ(sc(__NR_kill, -1, SIGUSR1), -ESRCH);
	return 0;
}

static void from_outside(int sig)
{
	guard(&tasklist_lock);
	send_signal_outside_locked(init_process, sig);
}

static void init_immune_vm(void)
{
	handle(SIGUSR1, on_signal, SA_RESTART);
	CHECK_EQ(wait_status(fork_run(kill_init, NULL)), 0);
	EVENTUALLY(HITS == 1);
	from_outside(SIGTERM); /* no handler: as from a parent namespace, dropped */
	sleep_ms(10);
	from_outside(SIGUSR1);
	EVENTUALLY(HITS == 2);
	from_outside(SIGKILL);
	sleep_long(NULL);
}

static void init_immune(void **state)
{
	vm_run(init_immune_vm, 128 + SIGKILL);
}

static int drop_and_kill(void *arg)
{
	CHECK_EQ(sc(__NR_setresuid, 1000, 1000, 1000), 0);
	CHECK_EQ(sc(__NR_kill, (long)arg, SIGTERM), -EPERM);
	CHECK_EQ(sc(__NR_kill, (long)arg, 0), -EPERM);
	CHECK_EQ(sc(__NR_kill, (long)arg, SIGCONT), 0); /* same session */
	CHECK_EQ(sc(__NR_kill, sc(__NR_getpid), 0), 0);
	CHECK_EQ(queue(sc(__NR_getppid), 40, 1), -EPERM);
	return 0;
}

VM_TEST(permissions)
{
	long target = fork_run(sleep_long, NULL);

	CHECK_EQ(wait_status(fork_run(drop_and_kill, (void *)target)), 0);
	CHECK_EQ(sc(__NR_kill, target, SIGKILL), 0);
	CHECK_EQ(wait_status(target), SIGKILL);
}

/* ---- threads ---- */

static u32 taker;

static int take_here(void *arg)
{
	u64 unblock = SIGBIT(SIGUSR1);

	CHECK_EQ(sc(__NR_rt_sigprocmask, SIG_UNBLOCK, uput(&unblock, 8), 0, 8), 0);
	__atomic_store_n(&taker, (u32)sc(__NR_gettid), __ATOMIC_SEQ_CST);
	for (;;)
		sleep_ms(1000);
	return 0;
}

static u32 handled_by;

static void note_thread(int sig, uaddr_t info, uaddr_t context)
{
	__atomic_store_n(&handled_by, (u32)sc(__NR_gettid), __ATOMIC_SEQ_CST);
}

VM_TEST(thread_choice)
{
	handle(SIGUSR1, note_thread, 0);
	CHECK_EQ(mask_op(SIG_SETMASK, SIGBIT(SIGUSR1)), 0);
	CHECK(thread_run(take_here, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&taker, __ATOMIC_SEQ_CST));
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	EVENTUALLY(__atomic_load_n(&handled_by, __ATOMIC_SEQ_CST) == taker);
	/* One for this thread alone stays with it. */
	CHECK_EQ(sc(__NR_tgkill, me(), sc(__NR_gettid), SIGUSR1), 0);
	CHECK_EQ(pending(), SIGBIT(SIGUSR1));
}

static u32 go, total;

static void count(int sig, uaddr_t info, uaddr_t context)
{
	__atomic_fetch_add(&total, 1, __ATOMIC_SEQ_CST);
}

static int storm(void *arg)
{
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(queue(me(), 40, i), 0);
		if (i % 3 == 0)
			mask_op(SIG_BLOCK, SIGBIT(40));
		if (i % 3 == 2)
			mask_op(SIG_UNBLOCK, SIGBIT(40));
	}
	__atomic_fetch_add(&go, 1, __ATOMIC_SEQ_CST);
	sc(__NR_exit, 0);
	return 0;
}

/* Each is delivered once, whichever threads block it when. */
VM_TEST(signal_storm)
{
	handle(40, count, SA_RESTART);
	for (int i = 0; i < 6; i++)
		CHECK(thread_run(storm, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&go, __ATOMIC_SEQ_CST) == 6);
	EVENTUALLY(__atomic_load_n(&total, __ATOMIC_SEQ_CST) == 1800);
	CHECK_EQ(pending(), 0);
}

/* ---- faults ---- */

static u64 seen_addr, seen_trap;

static void on_fault(int sig, uaddr_t info, uaddr_t context)
{
	seen_addr = peek64(info + 16);
	seen_trap = peek64(context + 40 + 160); /* uc_mcontext.trapno */
	hits++;
}

static int fault(void *arg)
{
	if (arg)
		mask_op(SIG_SETMASK, ~0ULL);
	kernel_user_fault(mc_regs(current), SIGSEGV, SEGV_MAPERR, 0x1234, 14, 6);
	return sc(__NR_getpid) > 0 ? (int)hits : 99;
}

static int handled_fault(void *arg)
{
	handle(SIGSEGV, on_fault, SA_SIGINFO);
	CHECK_EQ(fault(NULL), 1);
	CHECK_EQ(seen_addr, 0x1234);
	CHECK_EQ(seen_trap, 14);
	return 0;
}

VM_TEST(fault_kills)
{
	CHECK_EQ(wait_status(fork_run(fault, NULL)), SIGSEGV);
	CHECK_EQ(wait_status(fork_run(fault, (void *)1)), SIGSEGV); /* blocked or not */
	CHECK_EQ(wait_status(fork_run(handled_fault, NULL)), 0);
}

static int no_stack(void *arg)
{
	mc_regs(current)->rsp = 0x2000;
	handle(SIGUSR1, on_signal, 0);
	sc(__NR_kill, sc(__NR_getpid), SIGUSR1);
	return 0;
}

VM_TEST(bad_frame_kills)
{
	CHECK_EQ(wait_status(fork_run(no_stack, NULL)), SIGSEGV);
}

/* ---- signalfd ---- */

static u32 poll_in(long fd)
{
	struct {
		s32 fd;
		s16 events, revents;
	} p = { (s32)fd, POLLIN, 0 };
	uaddr_t at = uput(&p, sizeof(p));

	sc(__NR_poll, at, 1, 0);
	peek(at, &p, sizeof(p));
	return (u32)p.revents;
}

VM_TEST(signal_descriptor)
{
	u64 mask = SIGBIT(SIGUSR1) | SIGBIT(40);
	struct signalfd_siginfo info[2];
	uaddr_t buf = ualloc(sizeof(info));
	long fd, pid;

	CHECK_EQ(mask_op(SIG_SETMASK, mask), 0);
	fd = sc(__NR_signalfd4, -1, uput(&mask, 8), 8, SFD_NONBLOCK);
	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_read, fd, buf, sizeof(info)), -EAGAIN);
	CHECK_EQ(sc(__NR_read, fd, buf, 100), -EINVAL);
	CHECK_EQ(poll_in(fd), 0);
	CHECK_EQ(queue(me(), 40, 77), 0);
	CHECK_EQ(sc(__NR_kill, me(), SIGUSR1), 0);
	CHECK_EQ(poll_in(fd), POLLIN);
	CHECK_EQ(sc(__NR_read, fd, buf, sizeof(info)), sizeof(info));
	peek(buf, info, sizeof(info));
	CHECK_EQ(info[0].ssi_signo, SIGUSR1);
	CHECK_EQ(info[0].ssi_pid, me());
	CHECK_EQ(info[1].ssi_signo, 40);
	CHECK_EQ(info[1].ssi_int, 77);
	fd = sc(__NR_signalfd4, -1, uput(&mask, 8), 8, 0);
	pid = fork_run(signal_parent_later, (void *)SIGUSR1);
	CHECK_EQ(sc(__NR_read, fd, buf, sizeof(info)), sizeof(info[0]));
	CHECK_EQ(wait_status(pid), 0);
	CHECK_EQ(sc(__NR_signalfd4, 99, uput(&mask, 8), 8, 0), -EBADF);
}

/* A signal wakes who watches that process' signals, and nobody else: the processes of PostgreSQL wake each other so. */
#define WATCHERS 24
static struct waitq *queue_of[WATCHERS];
static long watched_fd;

struct queue_note {
	struct poll_table pt;
	struct waitq **to;
};

static void note_queue(struct poll_table *pt, struct file *f, struct waitq *q)
{
	(void)f;
	*((struct queue_note *)pt)->to = q;
}

static int watch(void *arg)
{
	struct queue_note note = { .pt.fn = note_queue, .to = arg };
	struct file *f = fd_get((int)watched_fd);

	vfs_poll(f, &note.pt);
	file_put(f);
	return 0;
}

VM_TEST(descriptors_of_others_sleep_on)
{
	u64 mask = SIGBIT(SIGUSR1);
	struct waitq *again;

	watched_fd = sc(__NR_signalfd4, -1, uput(&mask, 8), 8, SFD_NONBLOCK);
	CHECK_EQ(watch(&queue_of[0]), 0);
	CHECK_EQ(watch(&again), 0);
	CHECK(queue_of[0] && again == queue_of[0]);
	for (int i = 1; i < WATCHERS; i++) {
		CHECK_EQ(wait_status(fork_run(watch, &queue_of[i])), 0);
		for (int k = 0; k < i; k++)
			CHECK(queue_of[k] != queue_of[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handler_runs),	   cmocka_unit_test(masks),
		cmocka_unit_test(realtime_queue),  cmocka_unit_test(ignored),
		cmocka_unit_test(alternate_stack), cmocka_unit_test(timed_wait),
		cmocka_unit_test(suspends),	   cmocka_unit_test(restarts),
		cmocka_unit_test(sleep_goes_on_after_stop), cmocka_unit_test(default_actions),
		cmocka_unit_test(stops),	   cmocka_unit_test(orphaned_groups_do_not_stop),
		cmocka_unit_test(init_immune),	   cmocka_unit_test(permissions),
		cmocka_unit_test(thread_choice),   cmocka_unit_test(signal_storm),
		cmocka_unit_test(fault_kills),	   cmocka_unit_test(bad_frame_kills),
		cmocka_unit_test(signal_descriptor), cmocka_unit_test(descriptors_of_others_sleep_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
