/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: birth, death and everything wait*() says about it. */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int global = 1;

static void test_copies(void)
{
	int local = 1, fds[2];
	char *heap = malloc(1 << 20), c;

	memset(heap, 7, 1 << 20);
	OK(pipe(fds));
	IN_CHILD({
		CHECK(global == 1 && local == 1 && heap[12345] == 7);
		global = local = 2;
		memset(heap, 8, 1 << 20);
		CHECK(write(fds[1], "w", 1) == 1);
		close(fds[0]); /* descriptors are copies: the parent's stays open */
	});
	CHECK(global == 1 && local == 1 && heap[12345] == 7);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'w');
	free(heap);
}

static void test_shared_offset(void)
{
	char buf[4];
	int fd = OK(open("/etc/passwd", O_RDONLY));

	IN_CHILD(CHECK(read(fd, buf, 4) == 4));
	CHECK(lseek(fd, 0, SEEK_CUR) == 4);
	close(fd);
}

static void test_wait(void)
{
	struct rusage usage;
	siginfo_t si;
	int status;
	pid_t child = fork();

	if (!child)
		_exit(300);
	OK(waitid(P_PID, child, &si, WEXITED | WNOWAIT));
	CHECK(si.si_pid == child && si.si_status == 44 && si.si_code == CLD_EXITED);
	CHECK(wait4(child, &status, 0, &usage) == child && WEXITSTATUS(status) == 44);
	FAILS(ECHILD, waitpid(child, &status, 0));
	FAILS(ECHILD, waitpid(-1, &status, WNOHANG));
	FAILS(EINVAL, waitpid(-1, &status, 0x100));
	child = fork();
	if (!child)
		pause();
	CHECK(waitpid(-1, &status, WNOHANG) == 0);
	si.si_pid = 5;
	OK(waitid(P_ALL, 0, &si, WEXITED | WNOHANG));
	CHECK(si.si_pid == 0);
	OK(kill(child, SIGKILL));
	OK(waitid(P_PID, child, &si, WEXITED));
	CHECK(si.si_code == CLD_KILLED && si.si_status == SIGKILL);
}

static void test_any_of_many(void)
{
	int seen[20] = { 0 }, status;

	for (int i = 0; i < 20; i++)
		if (!fork())
			_exit(i);
	for (int i = 0; i < 20; i++) {
		OK(wait(&status));
		seen[WEXITSTATUS(status)]++;
	}
	for (int i = 0; i < 20; i++)
		CHECK(seen[i] == 1);
	FAILS(ECHILD, wait(&status));
}

static void test_groups(void)
{
	int status;
	pid_t own = fork(), other;

	if (!own)
		_exit(1);
	other = fork();
	if (!other) {
		setpgid(0, 0);
		pause_ms(20);
		_exit(2);
	}
	setpgid(other, other);
	CHECK(waitpid(-other, &status, 0) == other && WEXITSTATUS(status) == 2);
	CHECK(waitpid(0, &status, 0) == own && WEXITSTATUS(status) == 1);
}

static void test_reparenting(void)
{
	int fds[2], status;
	pid_t pid, child;

	OK(pipe(fds));
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	child = fork();
	if (!child) {
		pid_t middle = getpid();

		if (!fork()) {
			while (getppid() == middle)
				pause_ms(1);
			pid = getppid();
			CHECK(write(fds[1], &pid, sizeof(pid)) == sizeof(pid));
			_exit(9);
		}
		_exit(0);
	}
	CHECK(reap(child) == 0);
	CHECK(read(fds[0], &pid, sizeof(pid)) == sizeof(pid) && pid == getpid());
	OK(wait(&status)); /* the grandchild is ours now */
	CHECK(WEXITSTATUS(status) == 9);
	OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
}

static void test_autoreap(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (!fork())
			_exit(0);
	FAILS(ECHILD, wait(NULL)); /* returns when all of them are gone */
	signal(SIGCHLD, SIG_DFL);
}

static void test_parent_death_signal(void)
{
	int fds[2];
	char c;

	OK(pipe(fds));
	if (!fork()) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			CHECK(write(fds[1], "r", 1) == 1);
			pause();
		}
		CHECK(read(fds[0], &c, 1) == 1);
		_exit(0);
	}
	close(fds[1]);
	wait(NULL);
	CHECK(read(fds[0], &c, 1) == 0); /* the last writer is dead */
}

static void test_deep(void)
{
	for (int depth = 0; depth < 50; depth++) {
		pid_t child = fork();

		if (child) {
			int status = reap(child);

			if (depth)
				_exit(status + 1);
			CHECK(status == 49);
			return;
		}
	}
	_exit(0);
}

static void test_zombie(void)
{
	char path[64], buf[512];
	pid_t child = fork();
	siginfo_t si;
	int fd;

	if (!child)
		_exit(0);
	OK(waitid(P_PID, child, &si, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	fd = OK(open(path, O_RDONLY));
	buf[OK(read(fd, buf, sizeof(buf) - 1))] = 0;
	CHECK(strstr(buf, ") Z "));
	OK(kill(child, SIGTERM));
	CHECK(reap(child) == 0);
	FAILS(ESRCH, kill(child, 0));
	close(fd);
}

int main(void)
{
	test_copies();
	test_shared_offset();
	test_wait();
	test_any_of_many();
	test_groups();
	test_reparenting();
	test_autoreap();
	test_parent_death_signal();
	test_deep();
	test_zombie();
	return 0;
}
