/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes of every kind: private and process-shared, robust, priority-inheriting (PI futexes). */
#include "check.h"
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#define THREADS 4
#define ROUNDS 10000

static pthread_mutex_t *mutex; /* in memory shared with children */
static long counter;

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(mutex) == 0);
		counter++;
		CHECK(pthread_mutex_unlock(mutex) == 0);
	}
	return arg;
}

static void test_contended(void)
{
	pthread_t threads[THREADS];

	counter = 0;
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(counter == THREADS * ROUNDS);
}

static volatile int *held(void)
{
	return (volatile int *)(mutex + 1);
}

static void *die_with_it(void *arg)
{
	CHECK(pthread_mutex_lock(mutex) == 0);
	*held() = 1;
	pause_ms(20);
	return arg;
}

static void expect_owner_died(void)
{
	while (!*held())
		pause_ms(1);
	*held() = 0;
	CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(mutex) == 0);
	CHECK(pthread_mutex_unlock(mutex) == 0);
}

static void test_owner_dies(bool shared)
{
	pthread_t thread;
	pid_t child;

	CHECK(pthread_create(&thread, NULL, die_with_it, NULL) == 0);
	expect_owner_died();
	CHECK(pthread_join(thread, NULL) == 0);
	if (!shared)
		return;
	child = fork();
	if (!child) {
		die_with_it(NULL);
		_exit(0);
	}
	expect_owner_died();
	CHECK(reap(child) == 0);
}

static void test_timeout(void)
{
	struct timespec ts;

	CHECK(pthread_mutex_lock(mutex) == 0);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 10000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	IN_CHILD(CHECK(pthread_mutex_timedlock(mutex, &ts) == ETIMEDOUT));
	IN_CHILD(CHECK(pthread_mutex_trylock(mutex) == EBUSY));
	CHECK(pthread_mutex_unlock(mutex) == 0);
}

static void test_kind(bool shared, bool robust, bool pi)
{
	pthread_mutexattr_t attr;

	CHECK(pthread_mutexattr_init(&attr) == 0);
	if (shared)
		CHECK(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
	if (robust)
		CHECK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	if (pi)
		CHECK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
	CHECK(pthread_mutex_init(mutex, &attr) == 0);
	test_contended();
	if (robust)
		test_owner_dies(shared);
	if (shared)
		test_timeout();
}

int main(void)
{
	mutex = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (int kind = 0; kind < 8; kind++)
		test_kind(kind & 1, kind & 2, kind & 4);
	return 0;
}
