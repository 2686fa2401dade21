/* SPDX-License-Identifier: Apache-2.0 */
/* A storm of signals between processes and threads for argv[1] seconds: none is lost. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_int *counts; /* [0] stop, [1..] answers of each child */
static atomic_long usr1;

static void on_usr1(int sig)
{
	(void)sig;
	usr1++;
}

static void on_usr2(int sig)
{
	(void)sig;
}

/* Each realtime signal that arrives is counted: they queue, so none may be missing. */
static void child(int number)
{
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	counts[100 + number] = 1;
	for (;;) {
		int done = counts[0]; /* read before the last wait: what was sent is queued by then */

		if (sigtimedwait(&set, &si, &(struct timespec){ 0, 20000000 }) > 0)
			counts[number]++;
		else if (done)
			break;
	}
	_exit(0);
}

static void *kicker(void *main_thread)
{
	while (!counts[0])
		pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	return NULL;
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atoi(argv[1]) : 1);
	pthread_t self = pthread_self(), thread;
	int sent[4] = { 0 };
	pid_t kids[4];

	counts = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	signal(SIGUSR1, on_usr1);
	signal(SIGUSR2, on_usr2);
	for (int i = 0; i < 4; i++) {
		kids[i] = fork();
		if (!kids[i])
			child(i + 1);
		while (!counts[101 + i])
			pause_ms(1);
	}
	CHECK(!pthread_create(&thread, NULL, kicker, &self));
	while (now() < end) {
		for (int i = 0; i < 4; i++)
			sent[i] += sigqueue(kids[i], SIGRTMIN + 3, (union sigval){ 0 }) == 0;
		kill(getpid(), SIGUSR2);
		IN_CHILD(_exit(0)); /* fork under fire */
	}
	counts[0] = 1;
	CHECK(!pthread_join(thread, NULL));
	for (int i = 0; i < 4; i++) {
		CHECK(reap(kids[i]) == 0);
		CHECK(counts[i + 1] == sent[i]);
	}
	CHECK(usr1 > 100);
	return 0;
}
