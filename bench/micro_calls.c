/* SPDX-License-Identifier: Apache-2.0 */
/* Micro benchmarks of single calls, and of what threads and processes tell each other. */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "micro.h"

/* ns for one run of `what`, after some that warm up */
#define EACH(usual, what)                                                                         \
	({                                                                                        \
		long n_ = rounds(usual);                                                          \
		double start_ = 0;                                                                \
                                                                                                  \
		for (long i_ = -n_ / 20 - 20; i_ < n_; i_++) {                                    \
			if (i_ == 0)                                                              \
				start_ = now();                                                   \
			what;                                                                     \
		}                                                                                 \
		(now() - start_) / n_;                                                            \
	})

static double dup_close(void)
{
	return EACH(300000, NEED(!close(dup(1))));
}

static double umask_call(void)
{
	return EACH(1000000, umask(022));
}

static double sigprocmask_call(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return EACH(1000000, NEED(!sigprocmask(SIG_SETMASK, &set, NULL)));
}

/* A wake-up for which nobody waits. */
static double futex_wake(void)
{
	static int word;

	return EACH(1000000, NEED(!syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1)));
}

/* Without the vdso. */
static double clock_call(void)
{
	struct timespec ts;

	return EACH(1000000, NEED(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts)));
}

#define MAP_LEN 65536

static void *map_some(void)
{
	char *map = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(map != MAP_FAILED);
	return map;
}

static double mmap_munmap(void)
{
	return EACH(100000, NEED(!munmap(map_some(), MAP_LEN)));
}

static double mprotect_call(void)
{
	char *map = map_some();

	memset(map, 1, MAP_LEN);
	return EACH(100000, NEED(!mprotect(map, MAP_LEN, PROT_READ) &&
				 !mprotect(map, MAP_LEN, PROT_READ | PROT_WRITE)));
}

static void *nothing(void *arg)
{
	return arg;
}

static double thread_join(void)
{
	pthread_t thread;

	return EACH(5000, NEED(!pthread_create(&thread, NULL, nothing, NULL) && !pthread_join(thread, NULL))) / 1e3;
}

static double spawn_exec(void)
{
	char *args[] = { "busybox", "true", NULL }, *env[] = { NULL };
	pid_t pid;

	return EACH(500, {
		NEED(!posix_spawn(&pid, "/bin/busybox", NULL, NULL, args, env));
		run_child(pid);
	}) / 1e3;
}

static int scratch_file(size_t len)
{
	int fd = open("/var/tmp/micro", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *text = calloc(1, len);

	NEED(fd >= 0 && text && write(fd, text, len) == (ssize_t)len && !unlink("/var/tmp/micro"));
	free(text);
	return fd;
}

static double file_io(bool out, size_t len)
{
	static char buf[4096];
	int fd = scratch_file(sizeof(buf));

	return out ? EACH(200000, NEED(pwrite(fd, buf, len, 0) == (ssize_t)len)) :
		     EACH(200000, NEED(pread(fd, buf, len, 0) == (ssize_t)len));
}

static double pread_1(void) { return file_io(false, 1); }
static double pread_4k(void) { return file_io(false, 4096); }
static double pwrite_1(void) { return file_io(true, 1); }
static double pwrite_4k(void) { return file_io(true, 4096); }

#define MIB 1048576

/* From begin to end in pieces of 64 KiB. */
static double read_seq(void)
{
	static char buf[65536];
	int fd = scratch_file(MIB);

	return MIB / EACH(2000, {
		NEED(!lseek(fd, 0, SEEK_SET));
		for (int at = 0; at < MIB; at += (int)sizeof(buf))
			NEED(read(fd, buf, sizeof(buf)) == sizeof(buf));
	});
}

static double unix_rtt(void)
{
	int pair[2];

	NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	return ping_pong(pair[0], pair[0], pair[1], pair[1], rounds(20000));
}

static void count_up(int fd)
{
	uint64_t one = 1;

	NEED(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void count_down(int fd)
{
	uint64_t value;

	NEED(read(fd, &value, sizeof(value)) == sizeof(value));
}

static double eventfd_rtt(void)
{
	int there = eventfd(0, 0), back = eventfd(0, 0);
	double elapsed;
	pid_t pid;

	NEED(there >= 0 && back >= 0);
	pid = fork();
	while (!pid) {
		count_down(there);
		count_up(back);
	}
	elapsed = EACH(20000, { count_up(there); count_down(back); });
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return elapsed / 1e3;
}

/* An object of the guest kernel becomes ready, is reported, and read. */
static double epoll_eventfd(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = eventfd(0, 0), ep = epoll_create1(0);

	NEED(fd >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return EACH(300000, {
		count_up(fd);
		NEED(epoll_wait(ep, &ev, 1, -1) == 1);
		count_down(fd);
	});
}

const struct benchmark call_benchmarks[] = {
	{ "dup_close", dup_close },	{ "umask", umask_call },	  { "sigprocmask", sigprocmask_call },
	{ "futex_wake", futex_wake },	{ "clock_call", clock_call },	  { "mmap_munmap", mmap_munmap },
	{ "mprotect", mprotect_call },	{ "thread_join", thread_join },	  { "spawn_exec", spawn_exec },
	{ "pread_1", pread_1 },		{ "pread_4k", pread_4k },	  { "pwrite_1", pwrite_1 },
	{ "pwrite_4k", pwrite_4k },	{ "read_seq", read_seq },	  { "unix_rtt", unix_rtt },
	{ "eventfd_rtt", eventfd_rtt }, { "epoll_eventfd", epoll_eventfd }, { NULL, NULL },
};
