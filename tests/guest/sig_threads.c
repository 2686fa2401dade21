/* SPDX-License-Identifier: Apache-2.0 */
/* Signals and threads: who gets one, and what ends all of them. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static atomic_int got[8], ready;
static __thread int self;

static void on_signal(int sig)
{
	(void)sig;
	got[self]++;
}

static void *sleeper(void *arg)
{
	self = (int)(long)arg;
	ready++;
	while (!got[self])
		pause_ms(1);
	return NULL;
}

static void test_directed(void)
{
	pthread_t threads[4];

	signal(SIGUSR1, on_signal);
	for (long i = 1; i <= 4; i++)
		CHECK(!pthread_create(&threads[i - 1], NULL, sleeper, (void *)i));
	while (ready < 4)
		pause_ms(1);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_kill(threads[i], SIGUSR1));
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		CHECK(got[i + 1] == 1);
	}
	CHECK(got[0] == 0);
}

static void *waiter(void *arg)
{
	sigset_t set;
	int sig;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!sigwait(&set, &sig) && sig == SIGUSR2);
	return NULL;
}

static void test_process_wide(void)
{
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL)); /* the thread inherits it */
	CHECK(!pthread_create(&thread, NULL, waiter, NULL));
	OK(kill(getpid(), SIGUSR2));
	CHECK(!pthread_join(thread, NULL));
}

static __attribute__((noreturn)) void *spinner(void *arg)
{
	(void)arg;
	for (;;)
		;
}

static void *blocked_reader(void *arg)
{
	char c;

	CHECK(read(*(int *)arg, &c, 1) < 0);
	return NULL;
}

static void end_by(int how)
{
	pid_t child = fork();

	if (!child) {
		pthread_t thread;
		int fds[2];

		OK(pipe(fds));
		pthread_create(&thread, NULL, spinner, NULL);
		pthread_create(&thread, NULL, blocked_reader, &fds[0]);
		pause_ms(10);
		if (how == 0)
			exit(21);
		if (how == 1)
			kill(getpid(), SIGTERM);
		if (how == 2)
			execl("/proc/self/exe", "sig_threads", "single", NULL);
		for (;;)
			pause();
	}
	CHECK(reap(child) == (how == 1 ? 1000 + SIGTERM : 21 + how));
}

static void test_tgkill(void)
{
	FAILS(ESRCH, syscall(SYS_tgkill, getpid(), 0x3fffff, 0));
	FAILS(EINVAL, syscall(SYS_tgkill, getpid(), 0, 0));
	OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0));
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 23;
	test_directed();
	test_process_wide();
	for (int how = 0; how < 3; how++)
		end_by(how);
	test_tgkill();
	return 0;
}
