/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel timers, clocks, sleeps, interval timers, POSIX timers, timerfd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/poll.h>
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/timerfd.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/wait.h>

#include "harness.h"
#include "ktime.h"
#include "task.h"

#define MSEC NSEC_PER_MSEC

static u32 hits;
static int seen_overrun, seen_value, seen_code;

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
	seen_code = (int)peek32(info + 8);
	seen_overrun = (int)peek32(info + 20);
	seen_value = (int)peek32(info + 24);
	__atomic_fetch_add(&hits, 1, __ATOMIC_SEQ_CST);
}

#define HITS __atomic_load_n(&hits, __ATOMIC_SEQ_CST)

static uaddr_t timespec(u64 ns)
{
	struct __kernel_timespec ts = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };

	return uput(&ts, sizeof(ts));
}

static uaddr_t itimerspec(u64 value, u64 interval)
{
	uaddr_t at = ualloc(32);

	CHECK_EQ(put_itimerspec(at, value, interval), 0);
	return at;
}

static u64 ns_at(uaddr_t at)
{
	return peek64(at) * NSEC_PER_SEC + peek64(at + 8);
}

/* ---- the heap ---- */

#define TIMERS 300
static struct {
	struct ktimer k;
	u64 fired;
} timers[TIMERS];
static u32 fired;
static u64 last_deadline;
static u32 disorder;

static void note_fired(struct ktimer *k)
{
	if (k->deadline < last_deadline)
		disorder++;
	last_deadline = k->deadline;
	container_of(k, __typeof__(timers[0]), k)->fired++;
	__atomic_fetch_add(&fired, 1, __ATOMIC_SEQ_CST);
}

VM_TEST(ktimers_fire_in_order)
{
	u64 base = monotonic_now() + 50 * MSEC;
	u32 expect = 0;

	for (int i = 0; i < TIMERS; i++)
		CHECK_EQ(ktimer_init(&timers[i].k, note_fired), 0);
	for (int i = 0; i < TIMERS; i++)
		ktimer_start(&timers[i].k, base + random_u64() % (50 * MSEC));
	for (int i = 0; i < TIMERS; i += 2) /* moved */
		ktimer_start(&timers[i].k, base + random_u64() % (50 * MSEC));
	for (int i = 0; i < TIMERS; i += 3)
		ktimer_stop(&timers[i].k);
	for (int i = 0; i < TIMERS; i++)
		expect += i % 3 != 0;
	EVENTUALLY(__atomic_load_n(&fired, __ATOMIC_SEQ_CST) == expect);
	CHECK(monotonic_now() >= base);
	CHECK_EQ(disorder, 0);
	for (int i = 0; i < TIMERS; i++)
		CHECK_EQ(timers[i].fired, i % 3 != 0);
}

static u32 in_callback, out_of_callback;

static void slow(struct ktimer *k)
{
	__atomic_store_n(&in_callback, 1, __ATOMIC_SEQ_CST);
	for (u64 end = monotonic_now() + 30 * MSEC; monotonic_now() < end;)
		;
	__atomic_store_n(&out_of_callback, 1, __ATOMIC_SEQ_CST);
}

VM_TEST(ktimer_cancel_waits)
{
	struct ktimer k;

	CHECK_EQ(ktimer_init(&k, slow), 0);
	ktimer_start(&k, 0);
	EVENTUALLY(__atomic_load_n(&in_callback, __ATOMIC_SEQ_CST));
	ktimer_cancel(&k);
	CHECK(__atomic_load_n(&out_of_callback, __ATOMIC_SEQ_CST));
}

VM_TEST(forward)
{
	u64 expires = 100;

	CHECK_EQ(timer_forward(&expires, 10, 100), 1);
	CHECK_EQ(expires, 110);
	CHECK_EQ(timer_forward(&expires, 10, 139), 3);
	CHECK_EQ(expires, 140);
	CHECK_EQ(timer_forward(&expires, 0, 500), 1);
	CHECK_EQ(expires, 0);
	CHECK_EQ(deadline_of(CLOCK_MONOTONIC, 77, true), 77);
	CHECK_EQ(deadline_of(CLOCK_MONOTONIC, MC_FOREVER, false), MC_FOREVER);
	CHECK(deadline_of(CLOCK_REALTIME, 5, true) <= monotonic_now());
	CHECK(deadline_of(CLOCK_REALTIME, mc_clock(CLOCK_REALTIME) + MSEC, true) > monotonic_now());
}

/* ---- clocks ---- */

VM_TEST(clocks)
{
	/* The last two: the caller's process and thread. */
	static const int good[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, -6, -2 };
	uaddr_t at = ualloc(256);

	for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(sc(__NR_clock_gettime, good[i], at), 0);
		CHECK_EQ(sc(__NR_clock_getres, good[i], at), 0);
	}
	CHECK_EQ(sc(__NR_clock_gettime, 10, at), -EINVAL);
	CHECK_EQ(sc(__NR_clock_gettime, 99, at), -EINVAL);
	CHECK_EQ(sc(__NR_clock_gettime, -1, at), -EINVAL);
	CHECK_EQ(sc(__NR_clock_gettime, ~4000 * 8 + 2, at), -EINVAL); /* of nobody */
	CHECK_EQ(sc(__NR_clock_gettime, 0, 0x1000), -EFAULT);
	CHECK_EQ(sc(__NR_clock_settime, 0, timespec(5)), -EPERM);
	CHECK_EQ(sc(__NR_clock_settime, 1, timespec(5)), -EINVAL);
	CHECK_EQ(sc(__NR_gettimeofday, at, at + 16), 0);
	CHECK_EQ(sc(__NR_time, 0), peek64(at));
	CHECK_EQ(sc(__NR_settimeofday, at, 0), -EPERM);
	CHECK(sc(__NR_times, at) > 0);
	CHECK_EQ(sc(__NR_getrusage, RUSAGE_SELF, at), 0);
	CHECK_EQ(sc(__NR_getrusage, RUSAGE_CHILDREN, at), 0);
	CHECK_EQ(sc(__NR_getrusage, RUSAGE_THREAD, at), 0);
	CHECK_EQ(sc(__NR_getrusage, 7, at), -EINVAL);
	poke32(at, 0);
	CHECK_EQ(sc(__NR_adjtimex, at), TIME_OK);
	poke32(at, ADJ_FREQUENCY);
	CHECK_EQ(sc(__NR_adjtimex, at), -EPERM);
}

/* ---- sleeping ---- */

static int signal_parent(void *arg)
{
	sleep_ms(20);
	sc(__NR_kill, sc(__NR_getppid), SIGUSR1);
	return 0;
}

VM_TEST(sleeps)
{
	u64 start = monotonic_now();
	uaddr_t remain = ualloc(16);

	CHECK_EQ(sc(__NR_nanosleep, timespec(20 * MSEC), 0), 0);
	CHECK(monotonic_now() - start >= 20 * MSEC);
	CHECK_EQ(sc(__NR_nanosleep, timespec(0), 0), 0);
	poke64(remain + 8, NSEC_PER_SEC);
	CHECK_EQ(sc(__NR_nanosleep, remain, 0), -EINVAL);
	start = mc_clock(CLOCK_REALTIME);
	CHECK_EQ(sc(__NR_clock_nanosleep, 0, 1, timespec(start + 20 * MSEC), 0), 0);
	CHECK(mc_clock(CLOCK_REALTIME) >= start + 20 * MSEC);
	CHECK_EQ(sc(__NR_clock_nanosleep, 1, 1, timespec(1), 0), 0);
	CHECK_EQ(sc(__NR_clock_nanosleep, 3, 0, timespec(1), 0), -EINVAL);
	CHECK_EQ(sc(__NR_clock_nanosleep, 4, 0, timespec(1), 0), -EOPNOTSUPP);
	handle(SIGUSR1, on_signal, SA_RESTART);
	CHECK(fork_run(signal_parent, NULL) > 0);
	CHECK_EQ(sc(__NR_nanosleep, timespec(60 * NSEC_PER_SEC), remain), -EINTR);
	CHECK(ns_at(remain) > 50 * NSEC_PER_SEC && ns_at(remain) < 60 * NSEC_PER_SEC);
	CHECK_EQ(sc(__NR_restart_syscall), -EINTR);
}

/* ---- interval timers ---- */

static long set_interval(int which, u64 value, u64 interval)
{
	struct {
		s64 isec, iusec, sec, usec;
	} v = { (s64)(interval / NSEC_PER_SEC), (s64)(interval % NSEC_PER_SEC / 1000),
		(s64)(value / NSEC_PER_SEC), (s64)(value % NSEC_PER_SEC / 1000) };

	return sc(__NR_setitimer, which, uput(&v, sizeof(v)), 0);
}

static void burn_until(u32 n)
{
	u64 end = monotonic_now() + 20 * NSEC_PER_SEC;

	while (HITS < n) {
		CHECK(monotonic_now() < end);
		sc(__NR_getpid);
	}
}

VM_TEST(intervals)
{
	u64 start = monotonic_now();
	uaddr_t at = ualloc(32);

	handle(SIGALRM, on_signal, SA_SIGINFO);
	handle(SIGVTALRM, on_signal, SA_SIGINFO);
	handle(SIGPROF, on_signal, SA_SIGINFO);
	CHECK_EQ(sc(__NR_getitimer, 0, at), 0);
	CHECK_EQ(peek64(at + 16), 0);
	CHECK_EQ(set_interval(0, 10 * MSEC, 10 * MSEC), 0);
	burn_until(5);
	CHECK(monotonic_now() - start >= 50 * MSEC);
	CHECK_EQ(sc(__NR_getitimer, 0, at), 0);
	CHECK_EQ(peek64(at + 8), 10000);
	CHECK_EQ(set_interval(0, 0, 0), 0);
	CHECK_EQ(sc(__NR_alarm, 100), 0);
	CHECK_EQ(sc(__NR_alarm, 0), 100);
	sleep_ms(15);
	for (int which = 1; which <= 2; which++) {
		hits = 0;
		CHECK_EQ(set_interval(which, 5 * MSEC, 5 * MSEC), 0);
		burn_until(3);
		CHECK_EQ(set_interval(which, 0, 0), 0);
	}
	CHECK_EQ(sc(__NR_setitimer, 3, at, 0), -EINVAL);
	CHECK_EQ(set_interval(0, NSEC_PER_SEC, 0), 0);
}

static int burn(void *arg)
{
	struct rlimit limit = { 1, 2 };

	handle(SIGXCPU, on_signal, 0);
	CHECK_EQ(sc(__NR_setrlimit, RLIMIT_CPU, uput(&limit, sizeof(limit))), 0);
	burn_until(1);
	for (;;)
		sc(__NR_getpid);
	return 0;
}

/* The stub machine's CPU time is that of the whole test: this ends early, but it ends. */
VM_TEST(cpu_limit)
{
	CHECK_EQ(wait_status(fork_run(burn, NULL)), SIGKILL);
}

/* ---- POSIX timers ---- */

static int make_timer(int clock, int notify, int sig)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = sig };
	uaddr_t id = ualloc(4);

	ev.sigev_value.sival_int = 77;
	if (notify & SIGEV_THREAD_ID)
		ev.sigev_notify_thread_id = (int)sc(__NR_gettid);
	CHECK_EQ(sc(__NR_timer_create, clock, uput(&ev, sizeof(ev)), id), 0);
	return (int)peek32(id);
}

VM_TEST(posix_timers)
{
	int id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, 40);
	u64 all = ~0ULL, none = 0, start;
	uaddr_t at = ualloc(32);

	handle(40, on_signal, SA_SIGINFO);
	CHECK_EQ(sc(__NR_timer_settime, id, 0, itimerspec(5 * MSEC, 5 * MSEC), 0), 0);
	burn_until(3);
	CHECK_EQ(seen_code, SI_TIMER);
	CHECK_EQ(seen_value, 77);
	CHECK_EQ(sc(__NR_rt_sigprocmask, SIG_SETMASK, uput(&all, 8), 0, 8), 0);
	sleep_ms(60);
	hits = 0;
	start = monotonic_now();
	CHECK_EQ(sc(__NR_rt_sigprocmask, SIG_SETMASK, uput(&none, 8), 0, 8), 0);
	CHECK(HITS >= 1);
	CHECK((u64)HITS <= 2 + (monotonic_now() - start) / (5 * MSEC)); /* those of the 60 ms are one */
	CHECK(seen_overrun + sc(__NR_timer_getoverrun, id) > 0);
	CHECK_EQ(sc(__NR_timer_gettime, id, at), 0);
	CHECK_EQ(ns_at(at), 5 * MSEC);
	CHECK(ns_at(at + 16) > 0 && ns_at(at + 16) <= 5 * MSEC);
	/* Absolute, long past: at once, once. */
	CHECK_EQ(sc(__NR_timer_settime, id, 1, itimerspec(1, 0), 0), 0);
	sleep_ms(20);
	hits = 0;
	sleep_ms(20);
	CHECK_EQ(HITS, 0);
	CHECK_EQ(sc(__NR_timer_delete, id), 0);
	CHECK_EQ(sc(__NR_timer_delete, id), -EINVAL);
	CHECK_EQ(sc(__NR_timer_gettime, id, at), -EINVAL);
	CHECK_EQ(sc(__NR_timer_create, 99, 0, at), -EINVAL);
}

VM_TEST(posix_timer_kinds)
{
	int quiet = make_timer(CLOCK_REALTIME, SIGEV_NONE, 0), mine, cpu;
	uaddr_t at = ualloc(32);

	handle(41, on_signal, SA_SIGINFO);
	mine = make_timer(CLOCK_BOOTTIME, SIGEV_SIGNAL | SIGEV_THREAD_ID, 41);
	CHECK_EQ(sc(__NR_timer_settime, quiet, 0, itimerspec(5 * MSEC, 0), 0), 0);
	CHECK_EQ(sc(__NR_timer_settime, mine, 0, itimerspec(5 * MSEC, 0), 0), 0);
	burn_until(1);
	sleep_ms(10);
	CHECK_EQ(sc(__NR_timer_gettime, quiet, at), 0);
	CHECK_EQ(ns_at(at + 16), 0);
	cpu = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, 41);
	CHECK_EQ(sc(__NR_timer_settime, cpu, 0, itimerspec(5 * MSEC, 5 * MSEC), 0), 0);
	burn_until(4);
	/* Left to exit: deleted there, pending signals included. */
}

static int exec_with_timer(void *arg)
{
	int id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, 40);
	u64 all = ~0ULL;

	CHECK_EQ(sc(__NR_rt_sigprocmask, SIG_SETMASK, uput(&all, 8), 0, 8), 0);
	CHECK_EQ(sc(__NR_timer_settime, id, 0, itimerspec(1, MSEC), 0), 0);
	sleep_ms(10);
	/* Its signal is pending: the timer outlives its deletion. */
	CHECK_EQ(sc(__NR_timer_delete, id), 0);
	id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, 40);
	CHECK_EQ(sc(__NR_timer_settime, id, 0, itimerspec(1, MSEC), 0), 0);
	sleep_ms(10);
	return 4;
}

VM_TEST(exit_with_timers)
{
	for (int i = 0; i < 20; i++)
		CHECK_EQ(wait_status(fork_run(exec_with_timer, NULL)), 4 << 8);
}

/* ---- timerfd ---- */

static u64 read_ticks(long fd)
{
	uaddr_t at = ualloc(8);

	CHECK_EQ(sc(__NR_read, fd, at, 8), 8);
	return peek64(at);
}

static u32 poll_in(long fd, int timeout)
{
	struct {
		s32 fd;
		s16 events, revents;
	} p = { (s32)fd, POLLIN, 0 };
	uaddr_t at = uput(&p, sizeof(p));

	sc(__NR_poll, at, 1, timeout);
	peek(at, &p, sizeof(p));
	return (u32)p.revents;
}

VM_TEST(timer_descriptor)
{
	long fd = sc(__NR_timerfd_create, CLOCK_MONOTONIC, 0);
	u64 start = monotonic_now(), ticks;
	uaddr_t at = ualloc(32);

	CHECK(fd >= 0);
	CHECK_EQ(poll_in(fd, 0), 0);
	CHECK_EQ(sc(__NR_timerfd_settime, fd, 0, itimerspec(20 * MSEC, 10 * MSEC), 0), 0);
	CHECK_EQ(poll_in(fd, 5000), POLLIN);
	CHECK(monotonic_now() - start >= 20 * MSEC);
	CHECK(read_ticks(fd) >= 1);
	sleep_ms(50);
	CHECK(read_ticks(fd) >= 4);
	start = monotonic_now();
	ticks = read_ticks(fd); /* waits for one; more, if this thread had to wait longer */
	CHECK(ticks >= 1 && ticks <= 1 + (monotonic_now() - start) / (10 * MSEC));
	CHECK_EQ(sc(__NR_timerfd_gettime, fd, at), 0);
	CHECK_EQ(ns_at(at), 10 * MSEC);
	CHECK_EQ(sc(__NR_timerfd_settime, fd, TFD_TIMER_ABSTIME, itimerspec(1, 0), at), 0);
	CHECK_EQ(read_ticks(fd), 1);
	CHECK_EQ(sc(__NR_timerfd_gettime, fd, at), 0);
	CHECK_EQ(ns_at(at + 16), 0);
	CHECK_EQ(sc(__NR_fcntl, fd, 4, 04000), 0);
	CHECK_EQ(sc(__NR_read, fd, at, 8), -EAGAIN);
	CHECK_EQ(sc(__NR_read, fd, at, 4), -EINVAL);
	CHECK_EQ(sc(__NR_timerfd_settime, 99, 0, itimerspec(1, 0), 0), -EBADF);
	CHECK_EQ(sc(__NR_timerfd_create, 2, 0), -EINVAL);
	CHECK_EQ(sc(__NR_timerfd_settime, fd, 0, itimerspec(5 * MSEC, 0), 0), 0);
	CHECK_EQ(sc(__NR_close, fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ktimers_fire_in_order), cmocka_unit_test(ktimer_cancel_waits),
		cmocka_unit_test(forward),	 cmocka_unit_test(clocks),
		cmocka_unit_test(sleeps),	 cmocka_unit_test(intervals),
		cmocka_unit_test(cpu_limit),	 cmocka_unit_test(posix_timers),
		cmocka_unit_test(posix_timer_kinds), cmocka_unit_test(exit_with_timers),
		cmocka_unit_test(timer_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
