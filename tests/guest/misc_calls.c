/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls: identity of the system, limits, scheduling, randomness, what is unknown. */
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void test_system(void)
{
	struct utsname uts;
	struct sysinfo info;
	char host[65];

	OK(uname(&uts));
	CHECK(!strcmp(uts.sysname, "Linux") && !strcmp(uts.machine, "x86_64") && atoi(uts.release) >= 4);
	OK(gethostname(host, sizeof(host)));
	CHECK(!strcmp(host, uts.nodename));
	OK(sysinfo(&info));
	CHECK(info.totalram > 0 && info.procs > 0 && info.uptime >= 0 && info.mem_unit);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_PAGESIZE) == 4096);
	CHECK(sysconf(_SC_OPEN_MAX) > 20);
}

static void test_limits(void)
{
	struct rlimit limit, old;

	OK(getrlimit(RLIMIT_NOFILE, &old));
	limit = (struct rlimit){ 20, old.rlim_max };
	OK(prlimit(0, RLIMIT_NOFILE, &limit, &old));
	for (int fd; (fd = open("/dev/null", O_RDONLY)) != -1;)
		CHECK(fd < 20);
	CHECK(errno == EMFILE);
	FAILS(EINVAL, setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 30, 20 }));
	FAILS(EINVAL, getrlimit(99, &limit));
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	OK(setrlimit(RLIMIT_NOFILE, &old));
	IN_CHILD({
		signal(SIGXFSZ, SIG_IGN);
		OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 }));
		int fd = OK(open("limited", O_WRONLY | O_CREAT, 0600));
		char data[2000] = { 0 };
		CHECK(write(fd, data, 2000) == 1000);
		FAILS(EFBIG, write(fd, data, 1));
	});
	OK(unlink("limited"));
	IN_CHILD({
		OK(setrlimit(RLIMIT_AS, &(struct rlimit){ 1 << 28, 1 << 28 }));
		CHECK(!malloc(1 << 29) && errno == ENOMEM);
	});
}

static void test_scheduling(void)
{
	struct sched_param param;
	cpu_set_t set;
	unsigned int cpu, node;

	OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_COUNT(&set) >= 1);
	OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	OK(sched_getparam(0, &param));
	CHECK(param.sched_priority == 0 && sched_get_priority_max(SCHED_FIFO) == 99);
	OK(sched_yield());
	errno = 0;
	CHECK(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0);
	IN_CHILD(OK(setpriority(PRIO_PROCESS, 0, 5)); CHECK(getpriority(PRIO_PROCESS, 0) == 5));
}

/* Calls from neighbouring functions of the C library, often: how they enter the kernel may change on the way. */
static void test_neighbours(void)
{
	cpu_set_t set;

	for (int i = 0; i < 50; i++) {
		OK(sched_getaffinity(0, sizeof(set), &set));
		OK(sched_setaffinity(0, sizeof(set), &set));
	}
}

static void test_names(void)
{
	char name[16];

	OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
	OK(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "a-name-that-is-"));
	CHECK(prctl(PR_GET_DUMPABLE) == 1);
	OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	FAILS(EINVAL, prctl(123456));
}

static void test_random(void)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	CHECK(getrandom(a, 64, 0) == 64 && getrandom(b, 64, GRND_NONBLOCK) == 64 && memcmp(a, b, 64));
	FAILS(EINVAL, getrandom(a, 64, 0x100));
}

static void test_unknown(void)
{
	FAILS(ENOSYS, syscall(600));
	FAILS(ENOSYS, syscall(1000000));
	FAILS(ENOSYS, syscall(-1));
	FAILS(ENOSYS, syscall(SYS_create_module));
}

static long raw(long nr)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr) : "rcx", "r11", "memory");
	return ret;
}

static void test_raw(void)
{
	for (int i = 0; i < 1000; i++)
		CHECK(raw(SYS_getpid) == getpid());
	CHECK(raw(SYS_gettid) == getpid() && raw(700) == -ENOSYS);
}

int main(void)
{
	test_system();
	test_limits();
	test_scheduling();
	test_neighbours();
	test_names();
	test_random();
	test_unknown();
	test_raw();
	return 0;
}
