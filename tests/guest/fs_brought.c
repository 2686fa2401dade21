/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files that are opened and read at once. The guest kernel answers from what the open brought along; whatever
 * happens in between, by whomever, has to be seen all the same, and the position is one for all who share it.
 */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int turn; /* each file is opened once: those that are opened again are another matter */

static void put(const char *name, const char *text)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static const char *fresh(const char *text)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) + 60 }, { .tv_sec = 1 } };
	static char name[32];

	sprintf(name, "f%d", turn++);
	put(name, text);
	OK(utimensat(AT_FDCWD, name, times, 0)); /* a read does not change the time of the last access */
	return name;
}

static int opened(const char *text) { return OK(open(fresh(text), O_RDONLY)); }

#define READS(fd, size, text)                                                                      \
	do {                                                                                       \
		char reads_buf[64];                                                                \
		ssize_t reads_n = OK(read(fd, reads_buf, size));                                   \
		CHECK(reads_n == (ssize_t)strlen(text) && !memcmp(reads_buf, text, reads_n));      \
	} while (0)

static void plain(void)
{
	struct stat st, by_name;
	char buf[16];
	int fd = opened("0123456789");

	OK(fstat(fd, &st));
	READS(fd, 4, "0123");
	READS(fd, 4, "4567");
	CHECK(lseek(fd, -3, SEEK_CUR) == 5);
	READS(fd, 9, "56789");
	READS(fd, 9, "");
	CHECK(pread(fd, buf, 3, 2) == 3 && !memcmp(buf, "234", 3));
	CHECK(pread(fd, buf, 3, 20) == 0 && lseek(fd, 0, SEEK_END) == 10);
	READS(fd, 9, "");
	sprintf(buf, "f%d", turn - 1);
	OK(stat(buf, &by_name));
	CHECK(!memcmp(&st, &by_name, sizeof(st)));
	FAILS(EBADF, write(fd, "x", 1));
	close(fd);
	fd = opened("");
	READS(fd, 9, "");
	close(fd);
	fd = opened("abc");
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, 0, 77));
	CHECK(lseek(fd, 1, SEEK_DATA) == 1);
	READS(fd, 9, "bc");
	FAILS(EFAULT, pread(fd, (void *)8, 3, 0));
	close(fd);
	fd = opened("abc");
	FAILS(EFAULT, read(fd, (void *)8, 3));
	READS(fd, 9, "abc");
	close(fd);
}

/* The length where files do not come along any more, and both sides of it. */
static void sizes(void)
{
	static char text[16386], buf[20000];

	memset(text, 'x', sizeof(text) - 1);
	for (int size = 16383; size <= 16385; size++) {
		int fd;

		text[size] = 0;
		fd = opened(text);
		CHECK(read(fd, buf, sizeof(buf)) == size && !memcmp(buf, text, size));
		CHECK(read(fd, buf, sizeof(buf)) == 0);
		close(fd);
		text[size] = 'x';
	}
}

/* What needs the descriptor: it has the position. */
static void others(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_len = 1 };
	struct iovec iov[2];
	struct pollfd p = { .events = POLLIN };
	struct epoll_event ev = { 0 };
	char a[2], b[2], *map;
	int fds[2], fd = opened("0123456789"), n;

	READS(fd, 2, "01");
	CHECK(!ioctl(fd, FIONREAD, &n) && n == 8);
	READS(fd, 1, "2");
	iov[0] = (struct iovec){ a, 2 };
	iov[1] = (struct iovec){ b, 2 };
	CHECK(readv(fd, iov, 2) == 4 && !memcmp(a, "34", 2) && !memcmp(b, "56", 2));
	READS(fd, 9, "789");
	close(fd);
	fd = opened("0123456789");
	READS(fd, 3, "012");
	OK(fcntl(fd, F_OFD_SETLK, &lock));
	READS(fd, 1, "3");
	OK(flock(fd, LOCK_EX));
	p.fd = fd;
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	FAILS(EPERM, epoll_ctl(OK(epoll_create1(0)), EPOLL_CTL_ADD, fd, &ev));
	CHECK(fcntl(fd, F_GETFL) == (O_RDONLY | 0100000));
	close(fd);
	fd = opened("0123456789");
	READS(fd, 3, "012");
	OK(pipe(fds));
	CHECK(sendfile(fds[1], fd, NULL, 4) == 4);
	READS(fds[0], 9, "3456");
	READS(fd, 1, "7");
	close(fd);
	fd = opened("0123456789");
	READS(fd, 3, "012");
	CHECK(splice(fd, NULL, fds[1], NULL, 4, 0) == 4);
	READS(fds[0], 9, "3456");
	READS(fd, 1, "7");
	map = OK(mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK(!memcmp(map, "0123456789", 10));
	close(fd);
	fd = opened("0123456789");
	READS(fd, 3, "012");
	n = OK(open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600));
	CHECK(copy_file_range(fd, NULL, n, NULL, 4, 0) == 4);
	OK(lseek(n, 0, SEEK_SET));
	READS(n, 9, "3456");
	READS(fd, 1, "7");
}

static void shows_position(int fd, int pos)
{
	char name[64], text[256] = "";
	int info;

	sprintf(name, "/proc/self/fdinfo/%d", fd);
	info = OK(open(name, O_RDONLY));
	OK(read(info, text, sizeof(text) - 1));
	close(info);
	CHECK(strtol(strstr(text, "pos:") + 4, NULL, 10) == pos);
}

static void passed_on(int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = "", c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	int pair[2];
	pid_t child;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	if (!(child = OK(fork()))) {
		close(fd);
		OK(recvmsg(pair[1], &msg, 0));
		READS(*(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2, "67");
		_exit(0);
	}
	*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	*(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&msg)) = fd;
	OK(sendmsg(pair[0], &msg, 0));
	CHECK(reap(child) == 0);
}

static void shared_position(void)
{
	int fd = opened("0123456789"), copy;
	pid_t child;

	READS(fd, 2, "01");
	shows_position(fd, 2);
	copy = OK(dup(fd));
	READS(copy, 1, "2");
	if (!(child = OK(fork()))) {
		READS(fd, 1, "3");
		OK(dup2(fd, 0));
		execlp("sh", "sh", "-c", "read -r x; test \"$x\" = 456789 || exit 1; exec 5<&0", NULL);
		_exit(2);
	}
	CHECK(reap(child) == 0);
	READS(copy, 9, "");
	CHECK(lseek(fd, 4, SEEK_SET) == 4);
	READS(copy, 2, "45");
	passed_on(fd);
	READS(fd, 1, "8");
	shows_position(copy, 9);
	close(fd);
	fd = opened("abc");
	if (!(child = OK(fork()))) {
		READS(fd, 2, "ab");
		_exit(0);
	}
	CHECK(reap(child) == 0);
	READS(fd, 9, "c");
}

/* ---- what changes in between ---- */

static char current[32];
static volatile int go, done;

static int open_current(const char *text)
{
	strcpy(current, fresh(text));
	return OK(open(current, O_RDONLY));
}

static void *by_thread(void *unused)
{
	(void)unused;
	while (!go)
		;
	put(current, "new");
	done = 1;
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
	done = 1;
}

static void changed(void)
{
	int fd = open_current("old"), other, pipes[2];
	volatile int *shared;
	struct stat st;
	pthread_t thread;
	pid_t child;

	put(current, "newer");
	OK(fstat(fd, &st));
	CHECK(st.st_size == 5);
	READS(fd, 9, "newer");
	fd = open_current("old");
	OK(truncate(current, 1));
	READS(fd, 9, "o");
	fd = open_current("old");
	OK(fstat(fd, &st));
	OK(chmod(current, 0600));
	OK(fstat(fd, &st));
	CHECK((st.st_mode & 07777) == 0600);
	fd = open_current("old");
	other = OK(open(current, O_WRONLY | O_APPEND));
	READS(fd, 9, "old");
	CHECK(write(other, "er", 2) == 2);
	READS(fd, 9, "er");
	OK(pipe(pipes));
	OK(signal(SIGUSR1, on_signal) == SIG_ERR ? -1 : 0);
	for (int i = 0; i < 3; i++) { /* by a process that says so with a signal, which no call takes */
		strcpy(current, fresh("old"));
		if (!(child = OK(fork()))) {
			char c;

			CHECK(read(pipes[0], &c, 1) == 1);
			put(current, "new");
			kill(getppid(), SIGUSR1);
			_exit(0);
		}
		done = 0;
		CHECK(write(pipes[1], "x", 1) == 1);
		fd = OK(open(current, O_RDONLY));
		while (!done)
			;
		READS(fd, 9, "new");
		close(fd);
		CHECK(reap(child) == 0);
	}
	for (int i = 0; i < 3; i++) { /* by a thread */
		strcpy(current, fresh("old"));
		go = done = 0;
		CHECK(!pthread_create(&thread, NULL, by_thread, NULL));
		fd = OK(open(current, O_RDONLY));
		go = 1;
		while (!done)
			;
		READS(fd, 9, "new");
		close(fd);
		CHECK(!pthread_join(thread, NULL));
	}
	shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (int i = 0; i < 3; i++) { /* by a process that says so in memory */
		strcpy(current, fresh("old"));
		shared[0] = shared[1] = 0;
		if (!(child = OK(fork()))) {
			while (!shared[0])
				;
			put(current, "new");
			shared[1] = 1;
			_exit(0);
		}
		fd = OK(open(current, O_RDONLY));
		shared[0] = 1;
		while (!shared[1])
			;
		READS(fd, 9, "new");
		close(fd);
		CHECK(reap(child) == 0);
	}
}

static void atime_of(const char *name, int64_t sec)
{
	struct stat st;

	OK(stat(name, &st));
	CHECK(st.st_atime == sec);
}

/* An open is not an access. (Is a read? That is the mount's.) */
static void access_times(void)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };

	for (int i = 0; i < 4; i++) {
		const char *name = fresh("text");

		OK(utimensat(AT_FDCWD, name, times, 0));
		close(OK(open(name, O_RDONLY)));
		atime_of(name, 1000);
	}
}

int main(void)
{
	access_times();
	plain();
	sizes();
	others();
	shared_position();
	changed();
	return 0;
}
