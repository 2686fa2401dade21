/* SPDX-License-Identifier: Apache-2.0 */
/* pid namespaces: pid_namespaces(7). Each in a user namespace of its own, which anybody may make. */
#include "check.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static pid_t clone_with(unsigned long flags)
{
	return OK((pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

/* The first process of a new pid namespace, as clone() returns it. */
static pid_t new_first(void)
{
	return clone_with(CLONE_NEWUSER | CLONE_NEWPID);
}

#define IN_NAMESPACE(...)                                                                         \
	do {                                                                                      \
		pid_t first_pid = new_first();                                                   \
		if (!first_pid) {                                                                 \
			__VA_ARGS__;                                                              \
			_exit(0);                                                                 \
		}                                                                                 \
		CHECK(reap(first_pid) == 0);                                                      \
	} while (0)

static void test_numbers(void)
{
	IN_NAMESPACE({
		pid_t pid;
		siginfo_t info;

		CHECK(getpid() == 1 && getppid() == 0 && syscall(SYS_gettid) == 1);
		CHECK(getpgid(0) == 0 && getsid(0) == 0); /* those are of outside */
		pid = OK(fork());
		if (!pid) {
			CHECK(getpid() == 2 && getppid() == 1);
			_exit(7);
		}
		CHECK(pid == 2);
		OK(waitid(P_PID, 2, &info, WEXITED));
		CHECK(info.si_pid == 2 && info.si_status == 7);
		FAILS(ESRCH, kill(2, 0));
		CHECK(setsid() == 1 && getpgid(0) == 1 && getsid(1) == 1);
		IN_CHILD(CHECK(getpgid(0) == 1 && getsid(0) == 1 && setpgid(0, 0) == 0 && getpgrp() == getpid()));
	});
}

static void check_pidfd(pid_t first)
{
	int fd = OK((int)syscall(SYS_pidfd_open, first, 0)), outer = 0, inner = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "NSpid:\t%d\t%d", &outer, &inner) == 2)
			break;
	CHECK(outer == first && inner == 1);
	fclose(f);
	close(fd);
}

static void test_seen_from_outside(void)
{
	pid_t first = new_first();
	char path[64], line[256];
	int found = 0;
	FILE *f;

	if (!first)
		for (;;)
			pause();
	CHECK(first != 1 && !kill(first, 0));
	snprintf(path, sizeof(path), "/proc/%d/status", first);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		int outer, inner;

		if (sscanf(line, "NSpid:\t%d\t%d", &outer, &inner) == 2)
			found = outer == first && inner == 1;
	}
	CHECK(found);
	fclose(f);
	check_pidfd(first);
	OK(kill(first, SIGKILL));
	CHECK(reap(first) == 1000 + SIGKILL);
}

static void handler(int sig) {}

/* Signals to the first process from inside have only the effects that it asked for. */
static void test_first_is_protected(void)
{
	pid_t first;

	IN_NAMESPACE({
		OK(kill(1, SIGKILL));
		OK(kill(1, SIGTERM));
		OK(kill(1, SIGSTOP));
		IN_CHILD(OK(kill(1, SIGKILL)); OK(kill(1, SIGTERM)));
		FAILS(ESRCH, kill(-1, SIGTERM));
	});
	first = new_first();
	if (!first) {
		signal(SIGUSR1, handler);
		for (;;)
			pause();
	}
	OK(kill(first, SIGTERM)); /* from outside it is ignored, too */
	pause_ms(20);
	CHECK(waitpid(first, NULL, WNOHANG) == 0);
	OK(kill(first, SIGKILL)); /* but this is not */
	CHECK(reap(first) == 1000 + SIGKILL);
}

/* When the first process ends all others do, and only then is it a zombie. */
static void test_end(void)
{
	int fd[2];
	pid_t first;
	char byte;

	OK(pipe(fd));
	first = new_first();
	if (!first) {
		for (int i = 0; i < 3; i++)
			if (!fork()) {
				setsid();
				signal(SIGTERM, SIG_IGN);
				if (i == 1)
					fork();
				for (;;)
					pause();
			}
		pause_ms(10);
		_exit(4);
	}
	close(fd[1]);
	CHECK(reap(first) == 4);
	CHECK(read(fd[0], &byte, 1) == 0); /* nobody has the other end any more */
	close(fd[0]);
}

static void test_orphans(void)
{
	IN_NAMESPACE({
		int fd[2];
		pid_t pid[2];
		char byte;

		OK(pipe(fd));
		pid[0] = OK(fork());
		if (!pid[0]) {
			pid[1] = OK(fork());
			if (pid[1])
				_exit(0);
			while (getppid() != 1)
				pause_ms(1);
			CHECK(write(fd[1], "x", 1) == 1);
			_exit(5);
		}
		CHECK(reap(pid[0]) == 0);
		CHECK(read(fd[0], &byte, 1) == 1);
		CHECK(reap(3) == 5);
	});
}

static void *return_arg(void *arg) { return arg; }

static void test_unshare(void)
{
	IN_CHILD({
		pid_t me = getpid(), pid;
		struct clone_args args = { .flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD };

		OK(unshare(CLONE_NEWUSER | CLONE_NEWPID));
		CHECK(getpid() == me);
		FAILS(ENOENT, readlink("/proc/self/ns/pid_for_children", (char[64]){ 0 }, 64));
		FAILS(EINVAL, syscall(SYS_clone3, &args, sizeof(args)));
		FAILS(EINVAL, unshare(CLONE_NEWPID));
		pid = OK(fork());
		if (!pid) {
			CHECK(getpid() == 1);
			_exit(3);
		}
		CHECK(pid != 1 && reap(pid) == 3);
		FAILS(ENOMEM, fork()); /* it had its first process */
	});
}

static void test_threads(void)
{
	IN_NAMESPACE({
		pthread_t thread;
		void *result;
		int fd[1];

		CHECK(!pthread_create(&thread, NULL, return_arg, fd));
		CHECK(!pthread_join(thread, &result) && result == fd);
		IN_CHILD(CHECK(getpid() == 3));
		FAILS(ESRCH, syscall(SYS_tgkill, 1, 2, 0));
		OK(syscall(SYS_tgkill, 1, 1, 0));
	});
}

static void test_nested(void)
{
	IN_NAMESPACE({
		pid_t inner = clone_with(CLONE_NEWPID);

		if (!inner) {
			IN_CHILD(CHECK(getpid() == 2 && getppid() == 1));
			for (;;)
				pause();
		}
		CHECK(inner == 2);
		while (!kill(3, 0)) /* its child has a number here, too */
			pause_ms(1);
		OK(kill(2, SIGKILL));
		CHECK(reap(2) == 1000 + SIGKILL);
	});
}

static void test_sender(void)
{
	IN_CHILD({
		struct ucred c;
		socklen_t len = sizeof(c);
		siginfo_t info;
		sigset_t set;
		pid_t first;
		int fd[2];

		OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGCHLD);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		first = new_first();
		if (!first) {
			CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == 0);
			OK(getsockopt(fd[1], SOL_SOCKET, SO_PEERCRED, &c, &len));
			CHECK(c.pid == 0);
			if (!fork())
				_exit(0);
			CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == 2);
			_exit(0);
		}
		OK(kill(first, SIGUSR1));
		CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == first && info.si_status == 0);
	});
}

static long clone_as(pid_t *tids, size_t n)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (unsigned long)tids, .set_tid_size = n };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static void test_set_tid(void)
{
	IN_NAMESPACE({
		pid_t tid = 42, zero = 0, one = 1, two[2] = { 50, 0x7ffe }, pid;

		FAILS(EINVAL, clone_as(&zero, 1));
		FAILS(EEXIST, clone_as(&one, 1));
		FAILS(EINVAL, clone_as(NULL, 1));
		FAILS(EINVAL, clone_as(&tid, 33));
		FAILS(EPERM, clone_as(two, 2)); /* no power over the outer one */
		pid = OK((pid_t)clone_as(&tid, 1));
		if (!pid) {
			CHECK(getpid() == 42);
			_exit(9);
		}
		CHECK(pid == 42 && reap(42) == 9);
	});
}

static void test_enter(void)
{
	pid_t first = new_first(), pid;
	char user[64], pids[64];

	if (!first)
		for (;;)
			pause();
	snprintf(user, sizeof(user), "/proc/%d/ns/user", first);
	snprintf(pids, sizeof(pids), "/proc/%d/ns/pid", first);
	pid = OK(fork());
	if (!pid) {
		int fd = OK(open(pids, O_RDONLY)), own = OK(open("/proc/self/ns/pid", O_RDONLY));

		OK(setns(OK(open(user, O_RDONLY)), CLONE_NEWUSER));
		OK(setns(fd, CLONE_NEWPID));
		pid = OK(fork());
		if (!pid) {
			CHECK(getpid() == 2 && getppid() == 0);
			FAILS(EPERM, setns(own, CLONE_NEWPID)); /* never up */
			_exit(0);
		}
		_exit(reap(pid));
	}
	CHECK(reap(pid) == 0);
	OK(kill(first, SIGKILL));
	CHECK(reap(first) == 1000 + SIGKILL);
}

int main(void)
{
	test_numbers();
	test_seen_from_outside();
	test_first_is_protected();
	test_end();
	test_orphans();
	test_unshare();
	test_threads();
	test_nested();
	test_sender();
	test_set_tid();
	test_enter();
	return 0;
}
