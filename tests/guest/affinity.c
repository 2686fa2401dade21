/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads run on the CPUs of their masks and on no others. AFFINITY=reported: the machine leaves that to the host, which may not do it, and
 * only what can be asked for is looked at.
 */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>

#define CPUS 4
#define SPINNERS 2
#define SHARE 0.04 /* seconds of CPU time */

static int cpus[CPUS], ncpus; /* some that may be used */
static cpu_set_t all;
static volatile bool stop;
static volatile unsigned long counts[SPINNERS];

static int cpu_now(void)
{
	unsigned int cpu;

	OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
	return (int)cpu;
}

static cpu_set_t only(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return one;
}

static void pin(int cpu)
{
	cpu_set_t one = only(cpu);

	OK(sched_setaffinity(0, sizeof(one), &one));
}

static void pin_thread(pthread_t thread, int cpu)
{
	cpu_set_t one = only(cpu);

	CHECK(!pthread_setaffinity_np(thread, sizeof(one), &one));
}

static void release(void) { OK(sched_setaffinity(0, sizeof(all), &all)); }

static void test_at_once(void)
{
	for (int i = 0; i < 50 * ncpus; i++) {
		pin(cpus[i % ncpus]);
		CHECK(cpu_now() == cpus[i % ncpus]);
		sched_yield();
		CHECK(cpu_now() == cpus[i % ncpus]);
		if (i < ncpus)
			IN_CHILD(CHECK(cpu_now() == cpus[i]));
	}
	release();
}

static void test_no_such_cpu(void)
{
	cpu_set_t one = only(1000), got;

	if (sysconf(_SC_NPROCESSORS_CONF) > 1000)
		return;
	FAILS(EINVAL, sched_setaffinity(0, sizeof(one), &one));
	OK(sched_getaffinity(0, sizeof(got), &got));
	CHECK(CPU_EQUAL(&got, &all));
}

/* No system call: who moves it has to interrupt it. */
static void *spins(void *arg)
{
	volatile unsigned long *count = arg;

	while (!stop)
		++*count;
	return NULL;
}

static double used(pthread_t thread)
{
	struct timespec ts;
	clockid_t clock;

	CHECK(!pthread_getcpuclockid(thread, &clock));
	OK(clock_gettime(clock, &ts));
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void start_spinners(pthread_t *threads)
{
	stop = false;
	for (int i = 0; i < SPINNERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, spins, (void *)&counts[i]));
}

static void end_spinners(pthread_t *threads)
{
	stop = true;
	for (int i = 0; i < SPINNERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

/* Both go on, and in sum they have what one CPU gives, however much that is: who ran on two would have twice as much. */
static bool shared(const pthread_t *threads)
{
	double begin = now(), first = used(threads[0]), second = used(threads[1]), a, b;

	do {
		pause_ms(5);
		a = used(threads[0]) - first;
		b = used(threads[1]) - second;
	} while (a < SHARE || b < SHARE);
	return a + b < 1.25 * (now() - begin);
}

/* Soon: who moves leaves its CPU when that is interrupted, and a virtual one may be held up. */
static void check_shared(const pthread_t *threads)
{
	int tries = 0;

	while (!shared(threads))
		CHECK(++tries < 20);
}

static void *runs_alone(void *arg)
{
	int cpu = *(int *)arg;

	pin(cpu);
	for (int i = 0; i < 2000; i++)
		CHECK(cpu_now() == cpu);
	return NULL;
}

static void test_two_on_one(void)
{
	pthread_t threads[SPINNERS], third;
	int other = cpus[ncpus - 1];

	start_spinners(threads);
	for (int i = 0; i < ncpus; i++) {
		pin_thread(threads[0], cpus[i]);
		pin_thread(threads[1], cpus[i]);
		check_shared(threads);
	}
	pin_thread(threads[0], cpus[0]);
	pin_thread(threads[1], cpus[0]);
	CHECK(!pthread_create(&third, NULL, runs_alone, &other));
	CHECK(!pthread_join(third, NULL));
	end_spinners(threads);
}

/* One of two that spin on one CPU always waits for it: also that one finds its new CPU. */
static void test_moved_while_waiting(void)
{
	pthread_t threads[SPINNERS];

	start_spinners(threads);
	for (int round = 0; round < 10; round++) {
		unsigned long from[SPINNERS];

		for (int i = 0; i < SPINNERS; i++) {
			from[i] = counts[i];
			pin_thread(threads[i], cpus[round % ncpus]);
		}
		for (int i = 0; i < SPINNERS; i++)
			while (counts[i] < from[i] + 100000)
				pause_ms(1);
	}
	end_spinners(threads);
}

static void *sleeps(void *arg)
{
	int cpu = *(int *)arg;

	pin(cpu);
	for (int i = 0; i < 20; i++) {
		pause_ms(1);
		CHECK(cpu_now() == cpu);
	}
	return NULL;
}

/* With the other CPUs idle, and with all of them busy. */
static void test_sleepers(void)
{
	pthread_t threads[SPINNERS], sleepers[CPUS];

	for (int busy = 0; busy < 2; busy++) {
		if (busy)
			start_spinners(threads);
		for (int i = 0; i < ncpus; i++)
			CHECK(!pthread_create(&sleepers[i], NULL, sleeps, &cpus[i]));
		for (int i = 0; i < ncpus; i++)
			CHECK(!pthread_join(sleepers[i], NULL));
	}
	end_spinners(threads);
}

int main(void)
{
	const char *obeyed = getenv("AFFINITY");

	OK(sched_getaffinity(0, sizeof(all), &all));
	for (int i = 0; i < CPU_SETSIZE && ncpus < CPUS; i++)
		if (CPU_ISSET(i, &all))
			cpus[ncpus++] = i;
	test_at_once();
	test_no_such_cpu();
	test_sleepers();
	test_moved_while_waiting();
	if (!obeyed || strcmp(obeyed, "reported") != 0)
		test_two_on_one();
	return 0;
}
