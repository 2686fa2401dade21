/* SPDX-License-Identifier: Apache-2.0 */
/* vfork, posix_spawn, clone, clone3 and pidfds. */
#include "check.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

extern char **environ;
static volatile int touched;

static void test_vfork(void)
{
	pid_t child;

	for (volatile int i = 1; i <= 20; i++) {
		child = vfork();
		if (!child) {
			touched = i; /* seen by the parent: one memory */
			_exit(i);
		}
		CHECK(touched == i && reap(child) == i);
	}
	child = vfork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", "exit 6", NULL);
		_exit(1);
	}
	CHECK(reap(child) == 6);
}

static void test_spawn(void)
{
	char *argv[] = { "sh", "-c", "exit 7", NULL };
	char *big = OK(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int fds[2];
	char buf[16];
	pid_t pid;

	memset(big, 1, 64 << 20);
	CHECK(!posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) && reap(pid) == 7);
	CHECK(posix_spawn(&pid, "/no/such/file", NULL, NULL, argv, environ) == ENOENT);
	CHECK(posix_spawn(&pid, "/etc/passwd", NULL, NULL, argv, environ) == EACCES);
	OK(pipe(fds));
	argv[2] = "echo hello";
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addclose(&actions, fds[0]);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	CHECK(!posix_spawnp(&pid, "sh", &actions, &attr, argv, environ) && reap(pid) == 0);
	CHECK(read(fds[0], buf, sizeof(buf)) == 6 && !memcmp(buf, "hello\n", 6));
	OK(munmap(big, 64 << 20));
}

static long clone3(struct clone_args *args)
{
	return syscall(SYS_clone3, args, sizeof(*args));
}

static void test_clone3(void)
{
	static pid_t parent_tid, child_tid;
	int pidfd = -1, status;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
		.pidfd = (uintptr_t)&pidfd,
		.parent_tid = (uintptr_t)&parent_tid,
		.child_tid = (uintptr_t)&child_tid,
		.exit_signal = SIGCHLD,
	};
	struct pollfd p;
	siginfo_t si;
	pid_t pid = OK(clone3(&args));

	if (!pid) {
		CHECK(child_tid == syscall(SYS_gettid));
		pause_ms(20);
		_exit(13);
	}
	CHECK(parent_tid == pid && child_tid == 0 && pidfd >= 0);
	CHECK(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	p = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	CHECK(poll(&p, 1, 5000) == 1 && p.revents & POLLIN);
	OK(waitid(P_PIDFD, pidfd, &si, WEXITED));
	CHECK(si.si_pid == pid && si.si_status == 13);
	close(pidfd);

	args = (struct clone_args){ .exit_signal = 0 };
	pid = OK(clone3(&args));
	if (!pid)
		_exit(3);
	FAILS(ECHILD, waitpid(pid, &status, 0)); /* no exit signal: a "clone" child */
	CHECK(waitpid(pid, &status, __WALL) == pid && WEXITSTATUS(status) == 3);
	args = (struct clone_args){ .flags = CLONE_SIGHAND };
	FAILS(EINVAL, clone3(&args));
	FAILS(EINVAL, syscall(SYS_clone3, &args, 8));
}

static void test_pidfd(void)
{
	struct pollfd p;
	siginfo_t si;
	int fd, ends[2], made = pipe(ends), theirs;
	pid_t pid = fork();
	char byte;

	if (!pid)
		for (;;)
			pause();
	CHECK(!made);
	fd = OK(syscall(SYS_pidfd_open, pid, 0));
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, 10) == 0);
	theirs = OK(syscall(SYS_pidfd_getfd, fd, ends[1], 0));
	CHECK(fcntl(theirs, F_GETFD) == FD_CLOEXEC && write(theirs, "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
	FAILS(EBADF, syscall(SYS_pidfd_getfd, fd, 999, 0));
	FAILS(EINVAL, syscall(SYS_pidfd_getfd, fd, ends[1], 1));
	FAILS(EBADF, syscall(SYS_pidfd_getfd, ends[0], 0, 0));
	OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	CHECK(poll(&p, 1, 5000) == 1);
	OK(waitid(P_PIDFD, fd, &si, WEXITED));
	CHECK(si.si_code == CLD_KILLED && si.si_status == SIGTERM);
	FAILS(ESRCH, syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	FAILS(ESRCH, syscall(SYS_pidfd_getfd, fd, ends[1], 0));
	FAILS(ESRCH, syscall(SYS_pidfd_open, 0x3fffff, 0));
	close(fd);
}

/* A directory /proc/PID is enough to send a signal, and for nothing else. */
static void test_proc_pidfd(void)
{
	char name[32];
	pid_t pid = fork();
	int fd, path;

	if (!pid)
		for (;;)
			pause();
	snprintf(name, sizeof(name), "/proc/%d", (int)pid);
	fd = OK(open(name, O_RDONLY | O_DIRECTORY));
	path = OK(open(name, O_PATH));
	FAILS(EBADF, syscall(SYS_pidfd_send_signal, path, 0, NULL, 0));
	FAILS(EBADF, syscall(SYS_pidfd_getfd, fd, 0, 0));
	OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	CHECK(reap(pid) == 1000 + SIGTERM);
	FAILS(ESRCH, syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	close(fd);
	close(path);
	fd = OK(open("/proc", O_RDONLY | O_DIRECTORY));
	FAILS(EBADF, syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	close(fd);
}

static char stack[65536] __attribute__((aligned(16)));

static int change_things(void *arg)
{
	touched = 77;
	close(*(int *)arg);
	CHECK(!chdir("/tmp"));
	return 4;
}

static void test_clone_sharing(void)
{
	int fd = OK(open("/", O_RDONLY)), status;
	char cwd[64];
	pid_t pid;

	OK(chdir("/"));
	pid = OK(clone(change_things, stack + sizeof(stack), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &fd));
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	CHECK(touched == 77 && fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	CHECK(!strcmp(getcwd(cwd, sizeof(cwd)), "/tmp"));
	fd = OK(open("/", O_RDONLY));
	touched = 0;
	pid = OK(clone(change_things, stack + sizeof(stack), SIGCHLD, &fd));
	CHECK(reap(pid) == 4 && touched == 0 && fcntl(fd, F_GETFD) == 0);
}

int main(void)
{
	test_vfork();
	test_spawn();
	test_clone3();
	test_pidfd();
	test_proc_pidfd();
	test_clone_sharing();
	return 0;
}
