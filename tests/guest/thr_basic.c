/* SPDX-License-Identifier: Apache-2.0 */
/* pthreads as libc builds them: mutexes, conditions, barriers, once, keys, cancellation. */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define THREADS 16
#define ROUNDS 2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static long counter, turn;
static atomic_int initialised, destroyed;
static __thread long mine = 5;

static void init(void)
{
	initialised++;
}

static void destroy(void *value)
{
	destroyed += (int)(long)value;
}

static void *count(void *arg)
{
	long id = (long)arg;

	pthread_once(&once, init);
	pthread_setspecific(key, (void *)1L);
	mine += id;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&lock);
		while (turn % THREADS != id)
			pthread_cond_wait(&changed, &lock);
		turn++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	CHECK(mine == 5 + id && syscall(SYS_gettid) != getpid());
	return (void *)(id * 3);
}

static void test_many(void)
{
	pthread_t threads[THREADS];

	CHECK(!pthread_key_create(&key, destroy));
	CHECK(!pthread_barrier_init(&barrier, NULL, THREADS));
	for (long i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, count, (void *)i));
	for (long i = 0; i < THREADS; i++) {
		void *value;

		CHECK(!pthread_join(threads[i], &value) && value == (void *)(i * 3));
	}
	CHECK(counter == THREADS * ROUNDS && turn == THREADS * 20);
	CHECK(initialised == 1 && destroyed == THREADS && mine == 5);
}

static void *nothing(void *arg)
{
	return arg;
}

static void test_churn(void)
{
	for (long i = 0; i < 500; i++) {
		pthread_t thread;
		void *value;

		CHECK(!pthread_create(&thread, NULL, nothing, (void *)i));
		CHECK(!pthread_join(thread, &value) && value == (void *)i);
	}
}

static void test_timeouts(void)
{
	struct timespec until;
	double start = now();
	sem_t sem;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	pthread_mutex_lock(&lock);
	CHECK(pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	CHECK(now() - start > 0.045 && now() - start < 5);
	OK(sem_init(&sem, 0, 0));
	FAILS(ETIMEDOUT, sem_timedwait(&sem, &until));
	OK(sem_post(&sem));
	OK(sem_timedwait(&sem, &until));
}

static void *cancelled(void *arg)
{
	char c;

	CHECK(read(*(int *)arg, &c, 1) == 1);
	return NULL;
}

static void test_cancel(void)
{
	pthread_t thread;
	int fds[2];
	void *value;

	OK(pipe(fds));
	CHECK(!pthread_create(&thread, NULL, cancelled, &fds[0]));
	pause_ms(20);
	CHECK(!pthread_cancel(thread));
	CHECK(!pthread_join(thread, &value) && value == PTHREAD_CANCELED);
}

static void *main_is_gone(void *arg)
{
	(void)arg;
	pause_ms(50);
	exit(17);
}

static void test_main_exits_first(void)
{
	pid_t child = fork();

	if (!child) {
		pthread_t thread;

		pthread_create(&thread, NULL, main_is_gone, NULL);
		pthread_exit(NULL);
	}
	CHECK(reap(child) == 17);
}

static void *forker(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		IN_CHILD(CHECK(getpid() == syscall(SYS_gettid)));
	return NULL;
}

static void test_fork_in_threads(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, forker, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

int main(void)
{
	test_many();
	test_churn();
	test_timeouts();
	test_cancel();
	test_main_exits_first();
	test_fork_in_threads();
	return 0;
}
