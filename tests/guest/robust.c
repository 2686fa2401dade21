/* SPDX-License-Identifier: Apache-2.0 */
/* Locks whose owner dies, across threads and processes; and clear_child_tid. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int value;
};

static struct shared *shared;

static void *die_owning(void *arg)
{
	CHECK(!pthread_mutex_lock(&shared->mutex));
	return arg;
}

static void setup(void)
{
	pthread_mutexattr_t attr;
	pthread_condattr_t cattr;

	shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	CHECK(!pthread_mutex_init(&shared->mutex, &attr));
	pthread_condattr_init(&cattr);
	pthread_condattr_setpshared(&cattr, PTHREAD_PROCESS_SHARED);
	CHECK(!pthread_cond_init(&shared->cond, &cattr));
}

static void recover(void)
{
	CHECK(pthread_mutex_lock(&shared->mutex) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(&shared->mutex));
	CHECK(!pthread_mutex_unlock(&shared->mutex));
	CHECK(!pthread_mutex_lock(&shared->mutex));
	CHECK(!pthread_mutex_unlock(&shared->mutex));
}

static void test_thread(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, die_owning, NULL));
	CHECK(!pthread_join(thread, NULL));
	recover();
}

static void test_process(int sig)
{
	pid_t child = fork();

	if (!child) {
		CHECK(!pthread_mutex_lock(&shared->mutex));
		if (sig)
			kill(getpid(), sig);
		_exit(0);
	}
	CHECK(reap(child) == (sig ? 1000 + sig : 0));
	recover();
}

/* Waiting already when the owner dies. */
static void test_waiter(void)
{
	pid_t child = fork();

	if (!child) {
		CHECK(!pthread_mutex_lock(&shared->mutex));
		shared->value = 1;
		pause_ms(50);
		_exit(0);
	}
	while (!*(volatile int *)&shared->value)
		pause_ms(1);
	recover();
	CHECK(reap(child) == 0);
}

static void test_condition(void)
{
	pid_t child = fork();

	if (!child) {
		for (int i = 1; i <= 200; i++) {
			pthread_mutex_lock(&shared->mutex);
			while (shared->value != 2 * i)
				pthread_cond_wait(&shared->cond, &shared->mutex);
			shared->value++;
			pthread_cond_signal(&shared->cond);
			pthread_mutex_unlock(&shared->mutex);
		}
		_exit(0);
	}
	for (int i = 1; i <= 200; i++) {
		pthread_mutex_lock(&shared->mutex);
		shared->value = 2 * i;
		pthread_cond_signal(&shared->cond);
		while (shared->value == 2 * i)
			pthread_cond_wait(&shared->cond, &shared->mutex);
		pthread_mutex_unlock(&shared->mutex);
	}
	CHECK(reap(child) == 0);
}

static char stack[65536] __attribute__((aligned(16)));
static volatile pid_t tid;

static int end_at_once(void *arg)
{
	return !!arg;
}

static void test_clear_tid(void)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	pid_t got = OK(clone(end_at_once, stack + sizeof(stack), flags, NULL, &tid, NULL, &tid));
	pid_t seen;

	CHECK(got > 0);
	while ((seen = tid))
		syscall(SYS_futex, &tid, FUTEX_WAIT, seen, NULL, NULL, 0);
	CHECK(syscall(SYS_set_tid_address, &tid) == getpid());
}

int main(void)
{
	setup();
	test_thread();
	test_process(0);
	test_process(SIGKILL);
	test_waiter();
	test_condition();
	test_clear_tid();
	return 0;
}
