/* SPDX-License-Identifier: Apache-2.0 */
/* File locks: POSIX, open file description, and flock. */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

static int set(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &lock);
}

static void test_posix(void)
{
	int fd = OK(open("locks", O_RDWR | O_CREAT, 0600)), other, fds[2];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t child;
	char c;

	OK(set(fd, F_SETLK, F_WRLCK, 0, 10));
	OK(pipe(fds));
	IN_CHILD({
		FAILS(EAGAIN, set(fd, F_SETLK, F_RDLCK, 5, 1));
		OK(set(fd, F_SETLK, F_WRLCK, 10, 5));
		OK(fcntl(fd, F_GETLK, &lock));
		CHECK(lock.l_type == F_WRLCK && lock.l_pid == getppid() && lock.l_start == 0 && lock.l_len == 10);
	});
	OK(set(fd, F_SETLK, F_UNLCK, 3, 2)); /* splits it */
	IN_CHILD({
		OK(set(fd, F_SETLK, F_WRLCK, 3, 2));
		FAILS(EAGAIN, set(fd, F_SETLK, F_WRLCK, 2, 2));
	});
	child = fork();
	if (!child) {
		CHECK(write(fds[1], "w", 1) == 1);
		OK(set(fd, F_SETLKW, F_WRLCK, 0, 0)); /* waits for the parent to give way */
		_exit(0);
	}
	CHECK(read(fds[0], &c, 1) == 1);
	pause_ms(30);
	CHECK(waitpid(child, NULL, WNOHANG) == 0);
	other = OK(open("locks", O_RDONLY));
	close(other); /* closing any descriptor of the file drops them all */
	CHECK(reap(child) == 0);
	close(fd);
}

static void test_deadlock(void)
{
	int fd = OK(open("locks", O_RDWR)), ready[2];
	pid_t child;
	char c;

	OK(pipe(ready));
	OK(set(fd, F_SETLK, F_WRLCK, 0, 1));
	child = fork();
	if (!child) {
		OK(set(fd, F_SETLK, F_WRLCK, 1, 1));
		CHECK(write(ready[1], "r", 1) == 1);
		OK(set(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	pause_ms(50);
	FAILS(EDEADLK, set(fd, F_SETLKW, F_WRLCK, 1, 1));
	OK(set(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK(reap(child) == 0);
	close(fd);
}

static void test_description_locks(void)
{
	int one = OK(open("locks", O_RDWR)), two = OK(open("locks", O_RDWR));

	OK(set(one, F_OFD_SETLK, F_WRLCK, 0, 0));
	FAILS(EAGAIN, set(two, F_OFD_SETLK, F_RDLCK, 0, 0));
	close(OK(open("locks", O_RDONLY)));
	FAILS(EAGAIN, set(two, F_OFD_SETLK, F_RDLCK, 0, 0));
	close(one);
	OK(set(two, F_OFD_SETLK, F_RDLCK, 0, 0));
	close(two);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_flock(void)
{
	int one = OK(open("locks", O_RDWR)), two = OK(open("locks", O_RDWR)), same = OK(dup(one));
	struct sigaction sa = { .sa_handler = on_alarm };

	OK(flock(one, LOCK_SH));
	OK(flock(two, LOCK_SH));
	FAILS(EWOULDBLOCK, flock(one, LOCK_EX | LOCK_NB));
	OK(flock(two, LOCK_UN));
	OK(flock(same, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(two, LOCK_SH | LOCK_NB));
	OK(sigaction(SIGALRM, &sa, NULL));
	alarm(1);
	FAILS(EINTR, flock(two, LOCK_SH));
	close(one);
	FAILS(EWOULDBLOCK, flock(two, LOCK_SH | LOCK_NB)); /* the dup holds it */
	IN_CHILD(OK(flock(same, LOCK_UN))); /* and so does the child's copy */
	OK(flock(two, LOCK_EX | LOCK_NB));
	close(same);
	close(two);
}

int main(void)
{
	test_posix();
	test_deadlock();
	test_description_locks();
	test_flock();
	OK(unlink("locks"));
	return 0;
}
