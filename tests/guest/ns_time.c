/* SPDX-License-Identifier: Apache-2.0 */
/* Time namespaces: offsets, and every clock that has one; who is in which; setns, clone3, exec. */
#include "own_ns.h"
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <linux/futex.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define MONOTONIC 100000 /* seconds that are added */
#define BOOTTIME 500000

/* Namespaces whose children have times of their own. */
static void new_time(void)
{
	become_root(CLONE_NEWTIME);
}

static void set_offsets(void)
{
	put("/proc/self/timens_offsets", "monotonic 100000 0\nboottime 500000 0\n");
}

static void fails_to_set(int error, const char *text)
{
	int fd = OK(open("/proc/self/timens_offsets", O_WRONLY));

	FAILS(error, write(fd, text, strlen(text)));
	close(fd);
}

static const char *offsets(void)
{
	static char text[256];
	int fd = OK(open("/proc/self/timens_offsets", O_RDONLY));

	text[OK(read(fd, text, sizeof(text) - 1))] = '\0';
	close(fd);
	return text;
}

/* By the call itself, and as programs read it: in the vdso. */
static double clock_of(int clock)
{
	struct timespec ts, direct;
	double a, b;

	OK(clock_gettime(clock, &ts));
	OK(syscall(SYS_clock_gettime, clock, &direct));
	a = ts.tv_sec + ts.tv_nsec / 1e9;
	b = direct.tv_sec + direct.tv_nsec / 1e9;
	CHECK(b >= a && b - a < 60);
	return a;
}

static const struct {
	int clock;
	double offset;
} clocks[] = {
	{ CLOCK_MONOTONIC, MONOTONIC }, { CLOCK_MONOTONIC_RAW, MONOTONIC }, { CLOCK_MONOTONIC_COARSE, MONOTONIC },
	{ CLOCK_BOOTTIME, BOOTTIME }, { CLOCK_REALTIME, 0 }, { CLOCK_REALTIME_COARSE, 0 },
};
#define CLOCKS (int)(sizeof(clocks) / sizeof(*clocks))

static void read_clocks(double *to)
{
	for (int i = 0; i < CLOCKS; i++)
		to[i] = clock_of(clocks[i].clock);
}

/* The clocks are what they were, a while ago, with so many times their offsets. */
static void compare_clocks(const double *before, int times)
{
	for (int i = 0; i < CLOCKS; i++) {
		double d = clock_of(clocks[i].clock) - before[i] - times * clocks[i].offset;

		CHECK(d > -1 && d < 300);
	}
}

static double number_in(const char *path, int field)
{
	char text[1024], *p = text;
	int fd = OK(open(path, O_RDONLY));

	text[OK(read(fd, text, sizeof(text) - 1))] = '\0';
	close(fd);
	for (int i = 1; i < field; i++)
		p = strchr(p, ' ') + 1;
	return strtod(p, NULL);
}

static void test_offsets(void)
{
	IN_CHILD({
		new_time();
		CHECK(!strcmp(offsets(), "monotonic           0         0\nboottime            0         0\n"));
		fails_to_set(EINVAL, "realtime 1 0");
		fails_to_set(EINVAL, "monotonic 1");
		fails_to_set(EINVAL, "monotonic 1 1000000000");
		fails_to_set(EINVAL, "monotonic x 0");
		fails_to_set(ERANGE, "monotonic 4611686019 0");
		fails_to_set(ERANGE, "monotonic -9223372036 0");
		fails_to_set(ERANGE, "monotonic 9223372037 0");
		put("/proc/self/timens_offsets", "7 -1 250000000");
		put("/proc/self/timens_offsets", "monotonic 12 5\n");
		CHECK(!strcmp(offsets(), "monotonic          12         5\nboottime           -1 250000000\n"));
		set_offsets();
		CHECK(!strcmp(offsets(), "monotonic      100000         0\nboottime       500000         0\n"));
		IN_CHILD({}); /* now somebody has been in it */
		fails_to_set(EACCES, "monotonic 1 0");
		OK(unshare(CLONE_NEWTIME));
		CHECK(!strcmp(offsets(), "monotonic      100000         0\nboottime       500000         0\n")); /* inherited */
		put("/proc/self/timens_offsets", "monotonic 1 0");
	});
	IN_CHILD({
		become_root(0);
		fails_to_set(EPERM, "monotonic 1 0"); /* the namespace it is in is not its own */
		fails_to_set(EINVAL, "nonsense");
	});
}

static void test_clocks(void)
{
	double before[CLOCKS];

	read_clocks(before);
	IN_CHILD({
		ino_t old = namespace_number("time");

		new_time();
		set_offsets();
		CHECK(namespace_number("time") == old && namespace_number("time_for_children") != old);
		compare_clocks(before, 0); /* children only */
		IN_CHILD({
			compare_clocks(before, 1);
			CHECK(namespace_number("time") != old && namespace_number("time") == namespace_number("time_for_children"));
			IN_CHILD(compare_clocks(before, 1));
		});
		IN_CHILD({ /* below it: what it has is what it begins with */
			OK(unshare(CLONE_NEWTIME));
			put("/proc/self/timens_offsets", "monotonic 200000 0\nboottime 1000000 0\n");
			IN_CHILD(compare_clocks(before, 2));
			compare_clocks(before, 1);
		});
	});
}

static void test_proc(void)
{
	double uptime = number_in("/proc/uptime", 1), start = number_in("/proc/self/stat", 22) / sysconf(_SC_CLK_TCK);
	struct sysinfo info;

	IN_CHILD({
		new_time();
		set_offsets();
		IN_CHILD({
			double up = number_in("/proc/uptime", 1), mine = number_in("/proc/self/stat", 22) / sysconf(_SC_CLK_TCK);

			CHECK(up - uptime >= BOOTTIME - 1 && up - uptime < BOOTTIME + 300);
			CHECK(mine - start >= BOOTTIME - 1 && mine - start < BOOTTIME + 300);
			OK(sysinfo(&info));
			CHECK(info.uptime - uptime >= BOOTTIME - 1 && info.uptime - uptime < BOOTTIME + 300);
		});
	});
}

static struct timespec in_a_moment(int clock, long ms)
{
	struct timespec ts;

	OK(clock_gettime(clock, &ts));
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

/* What waits until a time of a clock. */
static void wait_until(int clock)
{
	struct itimerspec its = { .it_value = in_a_moment(clock, 20) };
	struct sigevent se = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int fd = OK(timerfd_create(clock, 0));
	sigset_t set;
	timer_t timer;
	double start = clock_of(clock);
	unsigned long long n;

	OK(clock_nanosleep(clock, TIMER_ABSTIME, &its.it_value, NULL) == 0 ? 0 : -1);
	CHECK(clock_of(clock) - start > 0.005 && clock_of(clock) - start < 300);

	its.it_value = in_a_moment(clock, 20);
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK(OK(read(fd, &n, 8)) == 8 && n == 1);
	its.it_value = in_a_moment(clock, 1000000);
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	OK(timerfd_gettime(fd, &its));
	CHECK(its.it_value.tv_sec > 600 && its.it_value.tv_sec < 1001);
	close(fd);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(timer_create(clock, &se, &timer));
	its = (struct itimerspec){ .it_value = in_a_moment(clock, 20) };
	OK(timer_settime(timer, TIMER_ABSTIME, &its, NULL));
	CHECK(OK(sigwaitinfo(&set, NULL)) == SIGUSR1);
	its.it_value = (struct timespec){ 1, 0 }; /* long ago, there as here */
	OK(timer_settime(timer, TIMER_ABSTIME, &its, NULL));
	CHECK(OK(sigwaitinfo(&set, NULL)) == SIGUSR1);
	OK(timer_delete(timer));
}

static void wait_on_futex(void)
{
	int word = 0;
	struct timespec ts = in_a_moment(CLOCK_MONOTONIC, 20), relative = { 0, 20000000 };
	double start = clock_of(CLOCK_MONOTONIC);

	FAILS(ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &ts, NULL, -1));
	FAILS(ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT, 0, &relative, NULL, 0));
	OK(clock_nanosleep(CLOCK_MONOTONIC, 0, &relative, NULL) == 0 ? 0 : -1);
	OK(nanosleep(&relative, NULL));
	CHECK(clock_of(CLOCK_MONOTONIC) - start > 0.06 && clock_of(CLOCK_MONOTONIC) - start < 300);
}

static void test_waits(const char *times)
{
	IN_CHILD({
		new_time();
		put("/proc/self/timens_offsets", times);
		IN_CHILD({
			alarm(240);
			wait_until(CLOCK_MONOTONIC);
			wait_until(CLOCK_BOOTTIME);
			wait_until(CLOCK_REALTIME);
			wait_on_futex();
		});
	});
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static void test_setns(void)
{
	double before[CLOCKS];
	pthread_t thread;

	read_clocks(before);
	IN_CHILD({
		int old = OK(open("/proc/self/ns/time", O_RDONLY)), fd;
		ino_t inside;
		char text[64];

		new_time();
		set_offsets();
		inside = namespace_number("time_for_children");
		fd = OK(open("/proc/self/ns/time_for_children", O_RDONLY));
		snprintf(text, sizeof(text), "time:[%lu]", inside);
		CHECK(readlink("/proc/self/ns/time_for_children", (char[64]){ 0 }, 64) == (ssize_t)strlen(text));
		FAILS(EINVAL, setns(fd, CLONE_NEWUTS));
		FAILS(EPERM, setns(old, CLONE_NEWTIME)); /* that is not its user namespace's */
		IN_CHILD({
			OK(pthread_create(&thread, NULL, sleeper, NULL));
			FAILS(EUSERS, setns(fd, CLONE_NEWTIME));
		});
		OK(setns(fd, CLONE_NEWTIME)); /* at once */
		compare_clocks(before, 1);
		CHECK(namespace_number("time") == inside);
		fails_to_set(EACCES, "monotonic 1 0");
		IN_CHILD(compare_clocks(before, 1));
	});
}

static void test_pidfd_and_clone(void)
{
	double before[CLOCKS];

	read_clocks(before);
	IN_CHILD({
		struct clone_args args = { .flags = CLONE_NEWTIME, .exit_signal = SIGCHLD };
		int pair[2];
		char byte;
		pid_t pid;

		OK(pipe(pair));
		new_time();
		set_offsets();
		pid = OK(fork());
		if (!pid) {
			OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			CHECK(write(pair[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(pair[0], &byte, 1) == 1);
		OK(setns((int)OK(syscall(SYS_pidfd_open, pid, 0)), CLONE_NEWTIME));
		compare_clocks(before, 1);
		OK(kill(pid, SIGKILL));
		CHECK(reap(pid) == 1000 + SIGKILL);
		pid = (int)OK(syscall(SYS_clone3, &args, sizeof(args)));
		if (!pid) { /* it is in it at once: nobody could set other offsets */
			compare_clocks(before, 1);
			fails_to_set(EACCES, "monotonic 1 0");
			_exit(0);
		}
		CHECK(reap(pid) == 0);
	});
	FAILS(EINVAL, syscall(SYS_clone3, &(struct clone_args){ .flags = CLONE_NEWTIME | 1, .exit_signal = SIGCHLD }, sizeof(struct clone_args)));
}

/* A program that is executed, by fork, in place and by vfork. argv[1]: CLOCK_MONOTONIC before. */
static void run_self(const char *arg)
{
	execl("/proc/self/exe", "ns_time", arg, NULL);
	_exit(2);
}

static void test_exec(void)
{
	char arg[32];
	pid_t pid;

	snprintf(arg, sizeof(arg), "%f", clock_of(CLOCK_MONOTONIC));
	IN_CHILD({
		new_time();
		set_offsets();
		IN_CHILD(run_self(arg));
		pid = vfork(); /* shares the clocks of its parent until it executes */
		if (!pid)
			run_self(arg);
		CHECK(reap(OK(pid)) == 0);
		CHECK(clock_of(CLOCK_MONOTONIC) < atof(arg) + 300);
		run_self(arg);
	});
}

static void test_concurrent(void)
{
	double before[CLOCKS];

	read_clocks(before);
	IN_CHILD({
		pid_t pids[8];

		new_time();
		set_offsets();
		for (int i = 0; i < 8; i++) {
			pids[i] = OK(fork());
			if (!pids[i]) {
				for (int n = 0; n < 200; n++)
					compare_clocks(before, 1);
				_exit(0);
			}
		}
		for (int n = 0; n < 200; n++)
			compare_clocks(before, 0);
		for (int i = 0; i < 8; i++)
			CHECK(reap(pids[i]) == 0);
	});
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		double d = clock_of(CLOCK_MONOTONIC) - atof(argv[1]) - MONOTONIC;

		return !(d > -1 && d < 300);
	}
	test_offsets();
	test_clocks();
	test_proc();
	test_waits("monotonic 100000 0\nboottime 500000 0\n");
	test_waits("monotonic -3 0\nboottime -2 500000000\n");
	test_setns();
	test_pidfd_and_clone();
	test_exec();
	test_concurrent();
	return 0;
}
