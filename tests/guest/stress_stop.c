/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of many threads that lock, fork, sleep, wait for timers and take signals is stopped and
 * continued all the time: while stopped it does nothing, afterwards all of them go on.
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>

enum { LOCKS, FORKS, TICKS, SLEEPS, BYTES, SIGNALS, KINDS };
static volatile long *done; /* shared with the parent */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_fetch_add(&done[SIGNALS], 1, __ATOMIC_SEQ_CST);
}

static void *lock(void *arg)
{
	struct timespec ts;

	for (;;) {
		pthread_mutex_lock(&mutex);
		done[LOCKS]++;
		pthread_cond_signal(&cond);
		if (done[LOCKS] % 3 == 0) {
			clock_gettime(CLOCK_REALTIME, &ts);
			ts.tv_nsec = (ts.tv_nsec + 500000) % 1000000000;
			pthread_cond_timedwait(&cond, &mutex, &ts);
		}
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void *forks(void *arg)
{
	for (;;) {
		pid_t child = OK(fork());

		if (!child)
			_exit(7);
		CHECK(reap(child) == 7);
		done[FORKS]++;
	}
	return arg;
}

static void *ticks(void *arg)
{
	struct itimerspec spec = { { 0, 700000 }, { 0, 700000 } };
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	uint64_t n;

	OK(timerfd_settime(fd, 0, &spec, NULL));
	for (;;) {
		CHECK(read(fd, &n, sizeof(n)) == sizeof(n));
		done[TICKS]++;
	}
	return arg;
}

static void *sleeps(void *arg)
{
	for (;;) {
		struct timespec ts = { 0, 300000 };

		CHECK(nanosleep(&ts, NULL) == 0 || errno == EINTR);
		done[SLEEPS]++;
	}
	return arg;
}

static void *bytes(void *arg)
{
	int fds[2];
	char c;

	OK(pipe(fds));
	for (;;) {
		CHECK(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1);
		done[BYTES]++;
	}
	return arg;
}

static void worker(void)
{
	static void *(*const threads[])(void *) = { lock,  lock,  lock,	 forks,
						    forks, ticks, sleeps, bytes };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	pthread_t thread;

	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &timer, NULL));
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++)
		CHECK(pthread_create(&thread, NULL, threads[i], NULL) == 0);
	for (;;)
		pause();
}

static void stop_and_continue(pid_t child)
{
	long locks, sent;
	int status;

	pause_ms(20);
	OK(kill(child, SIGSTOP));
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	locks = done[LOCKS];
	sent = done[BYTES];
	pause_ms(3);
	CHECK(done[LOCKS] == locks && done[BYTES] == sent);
	OK(kill(child, SIGCONT));
	CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
}

static void check_progress(pid_t child)
{
	double limit = now() + 20;
	long last[KINDS];

	for (int i = 0; i < KINDS; i++)
		last[i] = done[i];
	for (int i = 0; i < KINDS; i++)
		while (done[i] == last[i]) {
			CHECK(now() < limit);
			stop_and_continue(child);
		}
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atof(argv[1]) : 2);
	pid_t child;

	done = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	child = OK(fork());
	if (!child)
		worker();
	while (now() < end)
		check_progress(child);
	OK(kill(child, SIGKILL));
	CHECK(reap(child) == 1000 + SIGKILL);
	return 0;
}
