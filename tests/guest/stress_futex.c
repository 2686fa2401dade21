/* SPDX-License-Identifier: Apache-2.0 */
/* 64 threads on one mutex for argv[1] seconds. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long inside, total;
static atomic_int stop;

static void *contend(void *arg)
{
	long mine = 0;

	(void)arg;
	while (!stop) {
		pthread_mutex_lock(&lock);
		CHECK(++inside == 1);
		total++;
		if (mine % 64 == 0)
			sched_yield();
		inside--;
		pthread_mutex_unlock(&lock);
		mine++;
	}
	return (void *)mine;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	long sum = 0;

	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, contend, NULL));
	pause_ms(1000L * (argc > 1 ? atoi(argv[1]) : 1));
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		void *mine;

		CHECK(!pthread_join(threads[i], &mine));
		sum += (long)mine;
	}
	CHECK(sum == total && sum > 1000);
	return 0;
}
