/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs are shared by who never sleeps, however few there are: nothing here yields, and nothing is said of how long it takes. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#define BUSY 5
#define SHARE 2000000ul

static volatile unsigned long *counts; /* of processes */

static volatile int flag, answer;

static void *spins(void *arg)
{
	while (!flag)
		;
	answer = 1;
	return arg;
}

/* Two threads that wait for each other without a system call: on one CPU that needs a clock that takes it away. */
static void test_threads_that_spin(void)
{
	pthread_t thread;

	for (int i = 0; i < 5; i++) {
		flag = answer = 0;
		CHECK(!pthread_create(&thread, NULL, spins, NULL));
		flag = 1;
		while (!answer)
			;
		CHECK(!pthread_join(thread, NULL));
	}
}

/* The one that is waited for is created last, and behind as many as there are CPUs. */
static void test_threads_beyond_cpus(void)
{
	int n = get_nprocs() > 8 ? 8 : get_nprocs();
	pthread_t threads[9];

	flag = 0;
	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&threads[i], NULL, spins, NULL));
	IN_CHILD(for (volatile int i = 0; i < 1000000; i++));
	flag = 1;
	for (int i = 0; i < n; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

static void count_for_ever(int i)
{
	for (;;)
		counts[i]++;
}

/* All of them go on for as long as one has not had its share: none is left out. */
static void test_processes(void)
{
	pid_t pids[BUSY];

	for (int i = 0; i < BUSY; i++) {
		pids[i] = OK(fork());
		if (!pids[i])
			count_for_ever(i);
	}
	for (int i = 0; i < BUSY; i++)
		while (counts[i] < SHARE)
			pause_ms(1); /* who sleeps is woken among those that never do */
	for (int i = 0; i < BUSY; i++) {
		OK(kill(pids[i], SIGKILL));
		CHECK(reap(pids[i]) == 1000 + SIGKILL);
	}
}

/* As many CPUs as may be used, and one of them it is. */
static void test_numbers(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_COUNT(&set) >= 1 && CPU_COUNT(&set) <= get_nprocs_conf());
	CHECK(cpu >= 0 && cpu < get_nprocs_conf());
	if (getenv("CPUS"))
		CHECK(CPU_COUNT(&set) == atoi(getenv("CPUS")) && get_nprocs() == atoi(getenv("CPUS")));
}

int main(void)
{
	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counts != MAP_FAILED);
	test_numbers();
	test_threads_that_spin();
	test_threads_beyond_cpus();
	test_processes();
	return 0;
}
