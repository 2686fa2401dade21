/* SPDX-License-Identifier: Apache-2.0 */
/* membarrier(2): the commands, and that the barrier is one for threads that have none themselves. */
#include "check.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define ROUNDS 3000

static long membarrier(int cmd, unsigned int flags) { return syscall(SYS_membarrier, cmd, flags, 0); }

/*
 * Each side writes its word and reads the other's. Without any barrier both may read 0; with the one of the slow
 * side they may not, although the fast side has only the compiler's.
 */
static atomic_int fast_word, slow_word, turn, fast_saw, done;

static void *fast_side(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		while (atomic_load(&turn) != i)
			;
		atomic_store_explicit(&fast_word, 1, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
		fast_saw = atomic_load_explicit(&slow_word, memory_order_relaxed);
		atomic_store(&done, i);
	}
	return NULL;
}

static void test_barrier(void)
{
	pthread_t thread;
	int both = 0;

	CHECK(!pthread_create(&thread, NULL, fast_side, NULL));
	for (int i = 1; i <= ROUNDS; i++) {
		fast_word = slow_word = 0;
		atomic_store(&turn, i);
		atomic_store_explicit(&slow_word, 1, memory_order_relaxed);
		OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
		int saw = atomic_load_explicit(&fast_word, memory_order_relaxed);
		while (atomic_load(&done) != i)
			;
		both += !saw && !fast_saw;
	}
	CHECK(!pthread_join(thread, NULL));
	CHECK(both == 0);
}

static void *reader(void *arg)
{
	char c;

	CHECK(read(*(int *)arg, &c, 1) == 1);
	return NULL;
}

static void *sleeper(void *arg)
{
	struct timespec ts = { 0, 300000000 };

	CHECK(!nanosleep(&ts, NULL));
	return NULL;
}

/* Threads that wait in the kernel do not see that they were asked. */
static void test_waiting(void)
{
	pthread_t thread[2];
	int ends[2];

	OK(pipe(ends));
	CHECK(!pthread_create(&thread[0], NULL, reader, &ends[0]));
	CHECK(!pthread_create(&thread[1], NULL, sleeper, NULL));
	for (int i = 0; i < 50; i++)
		OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(!pthread_join(thread[0], NULL) && !pthread_join(thread[1], NULL));
}

static void *caller(void *arg)
{
	for (int i = 0; i < 300; i++)
		OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	return NULL;
}

/* Callers at once, and threads that come and go. */
static void test_concurrent(void)
{
	pthread_t thread[4];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_create(&thread[i], NULL, caller, NULL));
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_join(thread[i], NULL));
	}
}

int main(void)
{
	long commands = OK(membarrier(MEMBARRIER_CMD_QUERY, 0));

	CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	FAILS(EINVAL, membarrier(MEMBARRIER_CMD_QUERY, 8));
	FAILS(EINVAL, membarrier(1 << 20, 0));
	FAILS(EPERM, membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	test_barrier();
	test_waiting();
	test_concurrent();
	return 0;
}
