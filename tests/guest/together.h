/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of calls that several threads make at the same time. */
#ifndef TESTS_GUEST_TOGETHER_H
#define TESTS_GUEST_TOGETHER_H

#include "check.h"
#include <pthread.h>

#define KIN 4

static pthread_barrier_t start; /* of the KIN threads of each() */

/* Runs body in KIN threads, with their numbers, and waits for all of them. */
static inline void each(void *(*body)(void *))
{
	pthread_t threads[KIN];

	CHECK(!pthread_barrier_init(&start, NULL, KIN));
	for (long i = 0; i < KIN; i++)
		CHECK(!pthread_create(&threads[i], NULL, body, (void *)i));
	for (int i = 0; i < KIN; i++)
		CHECK(!pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&start);
}

#endif
