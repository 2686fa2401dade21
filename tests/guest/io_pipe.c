/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, FIFOs, vectors and the calls that move data without a buffer. */
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char buf[200000];

static void test_basics(void)
{
	int fds[2], left;
	struct stat st;

	OK(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fds[0], F_GETFL) == (O_RDONLY | O_NONBLOCK) || fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	FAILS(EAGAIN, read(fds[0], buf, 1));
	CHECK(write(fds[1], "abcdef", 6) == 6);
	OK(ioctl(fds[0], FIONREAD, &left));
	CHECK(left == 6);
	CHECK(read(fds[0], buf, 4) == 4 && read(fds[0], buf, 9) == 2);
	FAILS(EBADF, read(fds[1], buf, 1));
	FAILS(EBADF, write(fds[0], buf, 1));
	FAILS(ESPIPE, lseek(fds[0], 0, SEEK_SET));
	FAILS(ESPIPE, pread(fds[0], buf, 1, 0));
	OK(fstat(fds[0], &st));
	CHECK(S_ISFIFO(st.st_mode));
	FAILS(EINVAL, pipe2(fds, 12345));
}

static void test_capacity(void)
{
	int fds[2];
	ssize_t n, total = 0;

	OK(pipe2(fds, O_NONBLOCK));
	CHECK(fcntl(fds[1], F_GETPIPE_SZ) == 65536);
	while ((n = write(fds[1], buf, 5000)) > 0)
		total += n;
	CHECK(n == -1 && errno == EAGAIN && total <= 65536 && total > 30000);
	CHECK(read(fds[0], buf, 4096) == 4096);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, 131072) == 131072);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	FAILS(EPIPE, write(fds[1], "x", 1));
	signal(SIGPIPE, SIG_DFL);
	close(fds[1]);
}

static void test_atomicity(void)
{
	int fds[2];
	char message[PIPE_BUF];

	OK(pipe(fds));
	for (int i = 0; i < 4; i++) {
		if (!fork()) {
			memset(message, 'a' + i, sizeof(message));
			for (int j = 0; j < 100; j++)
				CHECK(write(fds[1], message, sizeof(message)) == sizeof(message));
			_exit(0);
		}
	}
	close(fds[1]);
	for (int i = 0; i < 400; i++) {
		for (size_t got = 0; got < sizeof(message);) {
			ssize_t n = OK(read(fds[0], message + got, sizeof(message) - got));

			CHECK(n > 0);
			got += n;
		}
		for (size_t j = 1; j < sizeof(message); j++)
			CHECK(message[j] == message[0]);
	}
	CHECK(read(fds[0], message, 1) == 0);
	for (int i = 0; i < 4; i++)
		wait(NULL);
}

static void test_big_transfer(void)
{
	unsigned long sum = 0, expected = 0;
	int fds[2];
	pid_t child;
	ssize_t n;

	OK(pipe(fds));
	child = fork();
	if (!child) {
		close(fds[0]);
		for (int i = 0; i < 50; i++) {
			memset(buf, i, sizeof(buf));
			CHECK(write(fds[1], buf, sizeof(buf)) == sizeof(buf)); /* blocks, never short */
		}
		_exit(0);
	}
	close(fds[1]);
	while ((n = OK(read(fds[0], buf, sizeof(buf)))) > 0)
		for (ssize_t i = 0; i < n; i++)
			sum += buf[i];
	for (int i = 0; i < 50; i++)
		expected += i * sizeof(buf);
	CHECK(sum == expected && reap(child) == 0);
}

static void test_vectors(void)
{
	struct iovec iov[3] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
	char a[4], b[10];
	struct iovec in[2] = { { a, 4 }, { b, 10 } };
	int fds[2];

	OK(pipe(fds));
	CHECK(writev(fds[1], iov, 3) == 8);
	CHECK(readv(fds[0], in, 2) == 8 && !memcmp(a, "onet", 4) && !memcmp(b, "hree", 4));
	FAILS(EINVAL, writev(fds[1], iov, -1));
	FAILS(EINVAL, readv(fds[0], in, IOV_MAX + 1));
}

static void test_sendfile_splice(void)
{
	int file = OK(open("pipe_file", O_RDWR | O_CREAT | O_TRUNC, 0600)), fds[2], copy[2];
	off_t offset = 2;
	loff_t at = 1;

	OK(unlink("pipe_file"));
	CHECK(write(file, "0123456789", 10) == 10);
	OK(pipe(fds));
	OK(pipe(copy));
	CHECK(sendfile(fds[1], file, &offset, 3) == 3 && offset == 5);
	CHECK(read(fds[0], buf, 10) == 3 && !memcmp(buf, "234", 3));
	CHECK(splice(file, &at, fds[1], NULL, 4, 0) == 4 && at == 5);
	CHECK(tee(fds[0], copy[1], 10, 0) == 4);
	CHECK(read(copy[0], buf, 10) == 4 && read(fds[0], buf, 10) == 4 && !memcmp(buf, "1234", 4));
	CHECK(write(fds[1], "XY", 2) == 2);
	at = 8;
	CHECK(splice(fds[0], NULL, file, &at, 2, 0) == 2);
	CHECK(pread(file, buf, 10, 0) == 10 && !memcmp(buf, "01234567XY", 10));
	lseek(file, 0, SEEK_SET);
	CHECK(sendfile(fds[1], file, NULL, 100) == 10 && lseek(file, 0, SEEK_CUR) == 10);
	close(file);
}

static void test_fifo(void)
{
	pid_t child;
	int fd;

	unlink("fifo");
	OK(mkfifo("fifo", 0600));
	FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
	child = fork();
	if (!child) {
		fd = OK(open("fifo", O_WRONLY)); /* waits for the reader */
		CHECK(write(fd, "fifo", 4) == 4);
		_exit(0);
	}
	pause_ms(20);
	fd = OK(open("fifo", O_RDONLY));
	CHECK(read(fd, buf, 10) == 4 && read(fd, buf, 10) == 0);
	CHECK(reap(child) == 0);
	close(fd);
	OK(unlink("fifo"));
}

/* A FIFO of root's for all to read: others may not write. */
static void test_fifo_of_others(void)
{
	pid_t child;

	OK(chmod(".", 0755));
	OK(mkfifo("fifo", 0644));
	child = fork();
	if (!child) {
		OK(setresgid(1000, 1000, 1000));
		OK(setresuid(1000, 1000, 1000));
		FAILS(EACCES, open("fifo", O_RDWR | O_NONBLOCK));
		FAILS(EACCES, open("fifo", O_WRONLY | O_NONBLOCK));
		OK(open("fifo", O_RDONLY | O_NONBLOCK));
		_exit(0);
	}
	CHECK(reap(child) == 0);
	OK(unlink("fifo"));
}

/* Both ends opened at the same moment; the writer may be gone before the reader looks. */
static void test_fifo_meeting(void)
{
	OK(mkfifo("fifo", 0600));
	for (int i = 0; i < 300; i++) {
		pid_t child = fork();
		int fd;

		if (!child) {
			fd = OK(open("fifo", O_WRONLY));
			CHECK(write(fd, "meet", 4) == 4);
			_exit(0);
		}
		fd = OK(open("fifo", O_RDONLY));
		CHECK(read(fd, buf, 10) == 4 && read(fd, buf, 10) == 0);
		close(fd);
		CHECK(reap(child) == 0);
	}
	OK(unlink("fifo"));
}

int main(void)
{
	test_basics();
	test_capacity();
	test_atomicity();
	test_big_transfer();
	test_vectors();
	test_sendfile_splice();
	test_fifo();
	test_fifo_meeting();
	if (!getuid())
		test_fifo_of_others();
	return 0;
}
