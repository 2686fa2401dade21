/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeps and timers. */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile sig_atomic_t hits, value;

static void on_signal(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	hits++;
	value = si->si_value.sival_int;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	OK(sigaction(sig, &sa, NULL));
}

static void test_clocks(void)
{
	struct timespec a, b, res;
	struct timeval tv;

	OK(clock_gettime(CLOCK_MONOTONIC, &a));
	for (int i = 0; i < 1000; i++) {
		OK(clock_gettime(CLOCK_MONOTONIC, &b));
		CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
		a = b;
	}
	OK(clock_gettime(CLOCK_REALTIME, &a));
	OK(gettimeofday(&tv, NULL));
	CHECK(llabs(tv.tv_sec - a.tv_sec) <= 1 && llabs(time(NULL) - a.tv_sec) <= 1);
	OK(clock_gettime(CLOCK_BOOTTIME, &a));
	OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a));
	OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b));
	CHECK(a.tv_sec == 0 && b.tv_sec == 0);
	OK(clock_getres(CLOCK_MONOTONIC, &res));
	CHECK(res.tv_sec == 0 && res.tv_nsec > 0);
	FAILS(EINVAL, clock_gettime(99, &a));
}

static void test_sleeps(void)
{
	struct timespec ts = { 0, 30000000 };
	double start = now();

	OK(nanosleep(&ts, NULL));
	CHECK(now() - start >= 0.03 && now() - start < 2);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0);
	CHECK(now() >= ts.tv_sec + ts.tv_nsec / 1e9);
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0); /* past already */
	ts.tv_nsec = -1;
	FAILS(EINVAL, nanosleep(&ts, NULL));
}

static void test_interval(void)
{
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } }, old;
	double start = now();

	handle(SIGALRM);
	hits = 0;
	OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (hits < 10)
		pause();
	CHECK(now() - start >= 0.045);
	OK(getitimer(ITIMER_REAL, &old));
	CHECK(old.it_interval.tv_usec == 5000);
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, &old));
	CHECK(alarm(100) == 0 && alarm(0) == 100);
	handle(SIGVTALRM);
	handle(SIGPROF);
	for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
		hits = 0;
		OK(setitimer(which, &timer, NULL));
		for (start = now(); hits < 3;)
			CHECK(now() - start < 10);
		OK(setitimer(which, &(struct itimerval){ 0 }, NULL));
	}
	IN_CHILD({ /* timers are not inherited */
		OK(getitimer(ITIMER_REAL, &old));
		CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
	});
}

static volatile int thread_ran;

static void on_thread(union sigval v)
{
	thread_ran = v.sival_int;
}

static void test_posix(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1,
				  .sigev_value.sival_int = 55 };
	struct itimerspec spec = { { 0, 5000000 }, { 0, 5000000 } }, old;
	sigset_t set;
	timer_t timer, threaded;

	handle(SIGRTMIN + 1);
	hits = 0;
	OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	OK(timer_settime(timer, 0, &spec, NULL));
	while (hits < 5)
		pause();
	CHECK(value == 55);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pause_ms(60);
	hits = 0;
	OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK(hits >= 1 && hits <= 3 && timer_getoverrun(timer) >= 0); /* one signal, overruns counted */
	OK(timer_gettime(timer, &old));
	CHECK(old.it_interval.tv_nsec == 5000000);
	OK(timer_delete(timer));
	FAILS(EINVAL, timer_delete(timer));
	event = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread,
				   .sigev_value.sival_int = 66 };
	OK(timer_create(CLOCK_REALTIME, &event, &threaded));
	spec = (struct itimerspec){ { 0, 0 }, { 0, 10000000 } };
	OK(timer_settime(threaded, 0, &spec, NULL));
	for (double start = now(); thread_ran != 66; pause_ms(1))
		CHECK(now() - start < 5);
	OK(timer_delete(threaded));
}

static void test_usage(void)
{
	struct rusage before, after;
	struct tms tms;
	double start = now();

	OK(getrusage(RUSAGE_SELF, &before));
	while (now() - start < 0.1)
		;
	OK(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec +
		      after.ru_stime.tv_sec * 1000000 + after.ru_stime.tv_usec >
	      before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
	CHECK(times(&tms) > 0 && clock() > 0);
	IN_CHILD(for (start = now(); now() - start < 0.05;));
	OK(getrusage(RUSAGE_CHILDREN, &after));
	CHECK(after.ru_utime.tv_usec + after.ru_stime.tv_usec > 0);
}

static double seconds(struct timeval t)
{
	return t.tv_sec + t.tv_usec / 1e6;
}

/* Reading files is the system's time, computing the user's. */
static void test_user_and_system(void)
{
	static char buf[1 << 20];
	int fd = OK(open("/proc/self/exe", O_RDONLY));
	volatile unsigned int spins = 0;
	struct rusage before, after;

	OK(getrusage(RUSAGE_SELF, &before));
	do {
		for (int i = 0; i < 100; i++)
			OK(pread(fd, buf, sizeof(buf), 0));
		OK(getrusage(RUSAGE_SELF, &after));
	} while (seconds(after.ru_stime) - seconds(before.ru_stime) < 0.1);
	OK(getrusage(RUSAGE_SELF, &before));
	do {
		while (++spins % 1000000)
			;
		OK(getrusage(RUSAGE_SELF, &after));
	} while (seconds(after.ru_utime) - seconds(before.ru_utime) < 0.1);
	close(fd);
}

int main(void)
{
	test_clocks();
	test_sleeps();
	test_interval();
	test_posix();
	test_usage();
	test_user_and_system();
	return 0;
}
