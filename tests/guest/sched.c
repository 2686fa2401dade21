/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling policies, priorities, CPU masks, I/O priorities and memory policies: kept, inherited and reported. */
#include "check.h"
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#define DEADLINE 6

struct attr {
	unsigned int size, policy;
	unsigned long long flags;
	int nice;
	unsigned int priority;
	unsigned long long runtime, deadline, period;
};

static void test_policies(void)
{
	struct sched_param none = { 0 }, ten = { 10 }, got;
	struct timespec ts;

	CHECK(sched_get_priority_min(SCHED_RR) == 1 && sched_get_priority_max(SCHED_FIFO) == 99);
	CHECK(sched_get_priority_max(SCHED_IDLE) == 0 && sched_get_priority_max(DEADLINE) == 0);
	FAILS(EINVAL, sched_get_priority_min(77));
	OK(sched_setscheduler(0, SCHED_BATCH, &none));
	CHECK(sched_getscheduler(0) == SCHED_BATCH);
	OK(sched_getparam(0, &got));
	CHECK(got.sched_priority == 0);
	FAILS(EINVAL, sched_setscheduler(0, SCHED_BATCH, &ten));
	FAILS(EINVAL, sched_setscheduler(0, 77, &none));
	FAILS(EINVAL, sched_setscheduler(0, DEADLINE, &none)); /* it has more parameters */
	FAILS(ESRCH, sched_setscheduler(0x3fffffff, SCHED_BATCH, &none));
	FAILS(EINVAL, sched_setscheduler(-1, SCHED_BATCH, &none));
	OK(sched_setparam(0, &none));
	FAILS(EINVAL, sched_setparam(0, &ten));
	OK(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none));
	CHECK(sched_getscheduler(0) == (SCHED_OTHER | SCHED_RESET_ON_FORK));
	IN_CHILD(CHECK(sched_getscheduler(0) == SCHED_OTHER));
	OK(sched_rr_get_interval(0, &ts));
}

/* Who has no CAP_SYS_NICE. */
static void test_no_privilege(void)
{
	struct attr a = { .size = sizeof(a), .policy = DEADLINE, .runtime = 1000000, .deadline = 10000000 };
	struct sched_param ten = { 10 };

	if (!geteuid())
		OK(setuid(65534));
	OK(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){ 0, 0 }));
	FAILS(EPERM, sched_setscheduler(0, SCHED_FIFO, &ten));
	FAILS(EPERM, syscall(SYS_sched_setattr, 0, &a, 0));
	a.runtime = 20000000; /* more than the deadline: that comes first */
	FAILS(EINVAL, syscall(SYS_sched_setattr, 0, &a, 0));
	FAILS(EPERM, sched_setscheduler(1, SCHED_BATCH, &(struct sched_param){ 0 }));
}

static void test_attr(void)
{
	struct attr a;

	OK(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0));
	CHECK(a.policy == SCHED_OTHER);
	FAILS(EINVAL, syscall(SYS_sched_getattr, 0, &a, 10, 0));
	FAILS(EINVAL, syscall(SYS_sched_getattr, 0, &a, sizeof(a), 1));
	FAILS(EINVAL, syscall(SYS_sched_setattr, 0, NULL, 0));
	a = (struct attr){ .size = sizeof(a), .policy = SCHED_BATCH, .nice = 3 };
	OK(syscall(SYS_sched_setattr, 0, &a, 0));
	CHECK(getpriority(PRIO_PROCESS, 0) == 3);
	a.size = 8;
	FAILS(E2BIG, syscall(SYS_sched_setattr, 0, &a, 0));
}

static void *thread_mask(void *arg)
{
	cpu_set_t set;

	OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_EQUAL(&set, (cpu_set_t *)arg));
	return NULL;
}

static void test_masks(void)
{
	cpu_set_t all, one, got;
	pthread_t thread;

	OK(sched_getaffinity(0, sizeof(all), &all));
	CPU_ZERO(&one);
	for (int i = 0; !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	OK(sched_getaffinity(0, sizeof(got), &got));
	CHECK(CPU_EQUAL(&got, &one));
	CHECK(!pthread_create(&thread, NULL, thread_mask, &one) && !pthread_join(thread, NULL));
	IN_CHILD(thread_mask(&one));
	OK(sched_setaffinity(0, sizeof(all), &all));
	CPU_ZERO(&one);
	FAILS(EINVAL, sched_setaffinity(0, sizeof(one), &one));
	FAILS(ESRCH, sched_setaffinity(0x3fffffff, sizeof(all), &all));
	FAILS(EINVAL, syscall(SYS_sched_getaffinity, 0, 3, &all));
}

static void test_io_priority(void)
{
	FAILS(EINVAL, syscall(SYS_ioprio_get, 9, 0));
	OK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 5));
	CHECK(syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 5));
	FAILS(EINVAL, syscall(SYS_ioprio_set, 1, 0, 7 << 13));
	FAILS(ESRCH, syscall(SYS_ioprio_get, 1, 0x3fffffff));
}

static void test_memory_policy(void)
{
	unsigned long nodes = 1, got[16];
	int mode = -1;
	char *p = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == -1) {
		CHECK(errno == ENOSYS || errno == EPERM); /* a kernel without NUMA */
		return;
	}
	CHECK(mode == MPOL_DEFAULT);
	OK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64));
	OK(syscall(SYS_get_mempolicy, &mode, got, 1024, NULL, 0));
	CHECK(mode == MPOL_BIND && got[0] == 1);
	OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	FAILS(EINVAL, syscall(SYS_set_mempolicy, 99, NULL, 0));
	OK(syscall(SYS_mbind, p, 4096, MPOL_PREFERRED, &nodes, 64, 0));
	FAILS(EINVAL, syscall(SYS_mbind, p + 1, 4096, MPOL_PREFERRED, &nodes, 64, 0));
}

static long compare(pid_t other, int type)
{
	return syscall(SYS_kcmp, getpid(), other, type, 0, 0);
}

static void test_kcmp(void)
{
	int fd = OK(open("/dev/null", O_RDONLY)), twin = OK(dup(fd)), other = OK(open("/dev/null", O_RDONLY));
	pid_t pid;

	if (compare(getpid(), KCMP_VM) == -1 && errno == ENOSYS)
		return;
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, twin) == 0);
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, other) > 0);
	FAILS(EBADF, syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, 999));
	FAILS(EINVAL, compare(getpid(), 99));
	FAILS(ESRCH, compare(0x3fffffff, KCMP_VM));
	pid = OK(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	CHECK(compare(pid, KCMP_VM) > 0 && compare(pid, KCMP_FILES) > 0);
	CHECK(compare(pid, KCMP_SYSVSEM) == 0 && compare(pid, KCMP_IO) == 0); /* neither has any */
	kill(pid, SIGKILL);
	CHECK(reap(pid) == 1000 + SIGKILL);
}

int main(void)
{
	unsigned int cpu, node;

	OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK(cpu < CPU_SETSIZE);
	test_kcmp(); /* before there is a thread: that one shares undos */
	IN_CHILD(test_policies());
	IN_CHILD(test_no_privilege());
	IN_CHILD(test_attr());
	test_masks();
	IN_CHILD(test_io_priority());
	IN_CHILD(test_memory_policy());
	return 0;
}
