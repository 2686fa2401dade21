/* SPDX-License-Identifier: Apache-2.0 */
/* The futex system call itself, between threads and between processes. */
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long futex(void *word, int op, uint32_t val, const void *timeout, void *word2, uint32_t val3)
{
	return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

static _Atomic uint32_t a, b;
static atomic_int waiting, woken;

static void *sleeper(void *arg)
{
	waiting++;
	CHECK(!futex(&a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	woken++;
	return arg;
}

static void start(pthread_t *threads, int n)
{
	waiting = woken = 0;
	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&threads[i], NULL, sleeper, NULL));
	while (waiting < n)
		pause_ms(1);
	pause_ms(30); /* they are in the call by now, or the counts below are too low */
}

static void join(pthread_t *threads, int n)
{
	for (int i = 0; i < n; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

static void test_errors(void)
{
	struct timespec shortly = { 0, 20000000 }, bad = { 0, 2000000000 };
	double begin = now();

	FAILS(EAGAIN, futex(&a, FUTEX_WAIT, 1, NULL, NULL, 0));
	FAILS(ETIMEDOUT, futex(&a, FUTEX_WAIT_PRIVATE, 0, &shortly, NULL, 0));
	CHECK(now() - begin >= 0.02);
	FAILS(EINVAL, futex(&a, FUTEX_WAIT, 0, &bad, NULL, 0));
	FAILS(EINVAL, futex((char *)&a + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
	FAILS(EFAULT, futex((void *)4096, FUTEX_WAIT, 0, NULL, NULL, 0));
	FAILS(EINVAL, futex(&a, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
	FAILS(ENOSYS, futex(&a, 77, 0, NULL, NULL, 0));
	CHECK(futex(&a, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	clock_gettime(CLOCK_MONOTONIC, &shortly);
	FAILS(ETIMEDOUT, futex(&a, FUTEX_WAIT_BITSET, 0, &shortly, NULL, ~0U));
	clock_gettime(CLOCK_REALTIME, &shortly);
	FAILS(ETIMEDOUT, futex(&a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &shortly, NULL, ~0U));
}

static void test_wake(void)
{
	pthread_t threads[6];

	start(threads, 6);
	CHECK(futex(&a, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0) == 2);
	while (woken < 2)
		pause_ms(1);
	pause_ms(10);
	CHECK(woken == 2);
	CHECK(futex(&a, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 4);
	join(threads, 6);
}

static void test_requeue(void)
{
	pthread_t threads[5];

	start(threads, 5);
	FAILS(EAGAIN, futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)4, &b, 9));
	CHECK(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &b, 0) == 4);
	CHECK(futex(&a, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1);
	CHECK(futex(&b, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 3);
	join(threads, 5);
}

/* ---- from a plain futex to a PI one ---- */

static _Atomic uint32_t cond, lock;
static int held, turns;

static void *pi_sleeper(void *arg)
{
	CHECK(!futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, (void *)&lock, 0));
	CHECK((lock & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid));
	CHECK(!held++);
	pause_ms(1);
	turns++;
	held--;
	CHECK(!futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	return arg;
}

static long requeue_pi(uint32_t nwake, long nmove, uint32_t expect)
{
	return futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, nwake, (void *)nmove, (void *)&lock, expect);
}

static void test_requeue_pi(void)
{
	struct timespec past = { 1, 0 };
	pthread_t threads[3], last;
	long moved = 0;

	FAILS(EAGAIN, futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, (void *)&lock, 0));
	FAILS(EINVAL, futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, (void *)&cond, 0));
	FAILS(ETIMEDOUT, futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &past, (void *)&lock, 0));
	FAILS(EINVAL, requeue_pi(2, 1, 0));
	FAILS(EINVAL, futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, (void *)&cond, 0));
	FAILS(EAGAIN, requeue_pi(1, 1, 7));
	CHECK(requeue_pi(1, 1, 0) == 0);
	CHECK(!futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, pi_sleeper, NULL));
	while (futex(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
		pause_ms(1);
	CHECK(errno == EINVAL); /* they wait for the other operation */
	CHECK(requeue_pi(1, 0, 0) == 1);
	for (moved = 1; moved < 3; pause_ms(1))
		moved += OK(requeue_pi(1, INT_MAX, 0));
	CHECK(turns == 0 && (lock & FUTEX_WAITERS));
	CHECK(!futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	join(threads, 3);
	CHECK(turns == 3 && !lock);
	CHECK(!pthread_create(&last, NULL, pi_sleeper, NULL)); /* it finds the lock free */
	while (OK(requeue_pi(1, INT_MAX, 0)) == 0)
		pause_ms(1);
	join(&last, 1);
	CHECK(turns == 4 && !lock);
}

/* ---- owners of a PI futex that die with it, on no robust list ---- */

static atomic_int tries; /* threads that have come to the lock */

static void *die_with_lock(void *arg)
{
	tries++;
	CHECK(!futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK((lock & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid));
	CHECK(!!(lock & FUTEX_OWNER_DIED) == !!turns++);
	return arg;
}

/* Each of them but the first was handed the lock of a thread that is not the one it began to wait for. */
static void test_pi_owners_die(void)
{
	pthread_t threads[3];

	tries = turns = 0;
	lock = 0;
	CHECK(!futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++) {
		CHECK(!pthread_create(&threads[i], NULL, die_with_lock, NULL));
		while (tries <= i || !(lock & FUTEX_WAITERS))
			pause_ms(1);
		pause_ms(30); /* it waits by now, or this tests less */
	}
	CHECK(!futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	join(threads, 3);
	CHECK(turns == 3);
	FAILS(ESRCH, futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	lock = 0;
}

static void test_pi_of_zombie(void)
{
	_Atomic uint32_t *word = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t child = OK(fork());
	siginfo_t info;

	if (!child)
		_exit(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) != 0);
	OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	CHECK(*word == (uint32_t)child);
	FAILS(ESRCH, futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK(reap(child) == 0);
}

static void test_waitv(void)
{
	struct futex_waitv v[2] = { { .val = 0, .uaddr = (uintptr_t)&a, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
				    { .val = 0, .uaddr = (uintptr_t)&b, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG } };
	struct timespec past = { 1, 0 };

	a = b = 0;
	if (syscall(SYS_futex_waitv, v, 2, 0, &past, CLOCK_MONOTONIC) == -1 && errno == ENOSYS)
		return; /* Linux before 5.16 */
	FAILS(ETIMEDOUT, syscall(SYS_futex_waitv, v, 2, 0, &past, CLOCK_MONOTONIC));
	FAILS(EINVAL, syscall(SYS_futex_waitv, v, 0, 0, NULL, 0));
	FAILS(EINVAL, syscall(SYS_futex_waitv, v, 129, 0, NULL, 0));
	FAILS(EINVAL, syscall(SYS_futex_waitv, v, 2, 1, NULL, 0));
	v[1].val = 1;
	FAILS(EAGAIN, syscall(SYS_futex_waitv, v, 2, 0, NULL, 0));
	v[1].flags = 0x80000000u;
	FAILS(EINVAL, syscall(SYS_futex_waitv, v, 2, 0, NULL, 0));
}

static void test_wake_op(void)
{
	pthread_t threads[2];

	start(threads, 2);
	b = 5; /* b += 3; wake a; and b too if it was above 4 */
	CHECK(futex(&a, FUTEX_WAKE_OP_PRIVATE, 2, (void *)1, &b,
		    FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4)) == 2);
	CHECK(b == 8);
	b = 0;
	join(threads, 2);
}

static void *bit_sleeper(void *arg)
{
	waiting++;
	CHECK(!futex(&a, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(uintptr_t)arg));
	woken += (int)(uintptr_t)arg;
	return NULL;
}

static void test_bitset(void)
{
	pthread_t threads[2];

	waiting = woken = 0;
	CHECK(!pthread_create(&threads[0], NULL, bit_sleeper, (void *)1));
	CHECK(!pthread_create(&threads[1], NULL, bit_sleeper, (void *)2));
	while (waiting < 2)
		pause_ms(1);
	pause_ms(30);
	CHECK(futex(&a, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 2) == 1);
	CHECK(futex(&a, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4) == 0);
	CHECK(futex(&a, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 3) == 1);
	join(threads, 2);
	CHECK(woken == 3);
}

static void test_between_processes(void)
{
	_Atomic uint32_t *word = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t child = fork();

	if (!child) {
		while (*word == 0)
			futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);
		for (int i = 0; i < 1000; i++) { /* ping-pong: odd is the child's turn */
			while (!(*word & 1))
				futex(word, FUTEX_WAIT, *word, NULL, NULL, 0);
			(*word)++;
			futex(word, FUTEX_WAKE, 1, NULL, NULL, 0);
		}
		_exit(0);
	}
	pause_ms(20);
	for (int i = 0; i < 1000; i++) {
		uint32_t seen;

		(*word)++;
		futex(word, FUTEX_WAKE, 1, NULL, NULL, 0);
		while ((seen = *word) & 1)
			futex(word, FUTEX_WAIT, seen, NULL, NULL, 0);
	}
	CHECK(reap(child) == 0 && *word == 2000);
}

static void test_shared_by_file(void)
{
	int fd = OK(memfd_create("futex", 0));
	_Atomic uint32_t *one, *two;
	pid_t child;

	OK(ftruncate(fd, 4096));
	one = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	two = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	child = fork();
	if (!child) {
		while (*one == 0)
			futex(one, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(0);
	}
	pause_ms(20);
	*two = 1;
	futex(two, FUTEX_WAKE, 1, NULL, NULL, 0);
	CHECK(reap(child) == 0);
}

static void test_private_after_fork(void)
{
	pid_t child;
	struct timespec shortly = { 0, 50000000 };

	a = 0;
	child = fork(); /* another process' private word at the same address is another futex */
	if (!child) {
		FAILS(ETIMEDOUT, futex(&a, FUTEX_WAIT_PRIVATE, 0, &shortly, NULL, 0));
		_exit(0);
	}
	for (int i = 0; i < 20; i++, pause_ms(1))
		CHECK(futex(&a, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 0);
	CHECK(reap(child) == 0);
}

int main(void)
{
	test_errors();
	test_wake();
	test_requeue();
	test_wake_op();
	test_requeue_pi();
	test_pi_owners_die();
	test_pi_of_zombie();
	test_waitv();
	test_bitset();
	test_between_processes();
	test_shared_by_file();
	test_private_after_fork();
	return 0;
}
