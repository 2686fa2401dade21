/* SPDX-License-Identifier: Apache-2.0 */
/* When the server's thread leaves the CPU that it shares with its callers. The host's CPUs are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/server_impl.h"

static struct ring_header ring;
static struct pv_server srv;
static cpu_set_t cpuset, bound; /* what the cpuset allows; what the thread is bound to */
static int cpu, moves;
static char dir[] = "/tmp/place-XXXXXX";

int __wrap_sched_getcpu(void);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);

int __wrap_sched_getcpu(void) { return cpu; }

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	CPU_AND_S(size, set, &cpuset, &bound);
	return 0;
}

/* As the host: never nothing, and a thread that may no longer be where it is goes elsewhere. */
int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	cpu_set_t next;

	(void)pid;
	CPU_AND_S(size, &next, &cpuset, set);
	if (!CPU_COUNT(&next)) {
		errno = EINVAL;
		return -1;
	}
	bound = *set;
	if (CPU_ISSET(cpu, &next))
		return 0;
	moves++;
	for (cpu = 0; !CPU_ISSET(cpu, &next);)
		cpu++;
	return 0;
}

static void host_runs(int threads)
{
	int d = open(dir, O_RDONLY | O_DIRECTORY), fd = openat(d, "loadavg", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && dprintf(fd, "9.20 8.18 7.12 %d/800 11206\n", threads) > 0);
	close(fd);
	close(d);
}

static int setup(void **state)
{
	(void)state;
	memset(&srv, 0, sizeof(srv));
	memset(&ring, 0, sizeof(ring));
	srv.ring = &ring;
	srv.spinner.allowed = true;
	srv.spinner.score = 1;
	CPU_ZERO(&cpuset);
	CPU_SET(0, &cpuset);
	CPU_SET(1, &cpuset);
	memset(&bound, 0xff, sizeof(bound));
	cpu = moves = 0;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	srv.cfg.infofd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_runs(1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(srv.cfg.infofd, "loadavg", 0);
	close(srv.cfg.infofd);
	return rmdir(dir);
}

/* n requests whose caller is on that CPU. */
static void requests(int n, int caller, u32 slot_state)
{
	ring.caller_cpu = (u32)caller + 1;
	for (int i = 0; i < n && !moves; i++)
		place_look(&srv, &slot_state);
}

static void leaves_its_caller(void **state)
{
	(void)state;
	requests(10, 0, SLOT_SLEEPING);
	assert_int_equal(ring.server_cpu, 1);
	assert_true(place_shared(&srv));
	assert_int_equal(moves, 0);
	requests(1000, 0, SLOT_SLEEPING);
	assert_int_equal(moves, 1);
	assert_int_equal(cpu, 1);
	assert_false(place_shared(&srv));
	/* free to go anywhere again, also where a larger cpuset lets it */
	CPU_SET(7, &cpuset);
	__wrap_sched_getaffinity(0, sizeof(bound), &bound);
	assert_true(CPU_EQUAL(&bound, &cpuset));
}

static void stays(void **state)
{
	(void)state;
	requests(10000, 1, SLOT_SLEEPING); /* who calls is elsewhere */
	requests(10000, 0, SLOT_PENDING);  /* ... or does not sleep */
	requests(10000, -1, SLOT_SLEEPING); /* ... or nobody knows */
	ring.caller_cpu = ~0u;
	place_look(&srv, &(u32){ SLOT_SLEEPING });
	host_runs(2); /* no CPU is idle */
	requests(100000, 0, SLOT_SLEEPING);
	host_runs(1);
	srv.spinner.score = 0; /* calls are far between */
	requests(10000, 0, SLOT_SLEEPING);
	srv.spinner = (struct spinner){ .score = 1 }; /* one CPU */
	requests(10000, 0, SLOT_SLEEPING);
	assert_int_equal(moves, 0);
}

/* Whoever bound it (taskset) is obeyed. */
static void bound_elsewhere(void **state)
{
	cpu_set_t before;

	(void)state;
	CPU_SET(2, &cpuset);
	CPU_CLR(2, &bound);
	before = bound;
	requests(1000, 0, SLOT_SLEEPING);
	assert_int_equal(cpu, 1);
	__wrap_sched_getaffinity(0, sizeof(bound), &bound);
	CPU_AND(&before, &before, &cpuset);
	assert_true(CPU_EQUAL(&bound, &before));
	CPU_CLR(0, &bound); /* and again */
	assert_false(place_leave(1));
	__wrap_sched_getaffinity(0, sizeof(bound), &bound);
	assert_true(cpu == 1 && CPU_COUNT(&bound) == 1 && CPU_ISSET(1, &bound));
}

static void the_only_one(void **state)
{
	(void)state;
	CPU_CLR(1, &cpuset);
	assert_false(place_leave(0));
	assert_int_equal(cpu, 0);
}

/* Looks get rarer while they are in vain; no /proc is no reason to fail. */
static void looks_less_often(void **state)
{
	(void)state;
	host_runs(5);
	requests(64, 0, SLOT_SLEEPING);
	host_runs(1);
	requests(127, 0, SLOT_SLEEPING);
	assert_int_equal(moves, 0);
	requests(1, 0, SLOT_SLEEPING);
	assert_int_equal(moves, 1);
	moves = 0;
	cpu = 0;
	unlinkat(srv.cfg.infofd, "loadavg", 0);
	requests(20000, 0, SLOT_SLEEPING);
	assert_int_equal(moves, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(leaves_its_caller), T(stays), T(bound_elsewhere), T(the_only_one), T(looks_less_often) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
