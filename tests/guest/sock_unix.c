/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: stream, datagram, seqpacket; names; descriptors and credentials in messages. */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char buf[70000];

static socklen_t name(struct sockaddr_un *addr, const char *path, int abstract)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	strcpy(addr->sun_path + abstract, path);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static void test_stream(int abstract)
{
	struct sockaddr_un addr, got;
	socklen_t len = name(&addr, "sock", abstract), got_len = sizeof(got);
	int server = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client, conn;
	struct ucred cred;
	struct stat st;

	unlink("sock");
	OK(bind(server, (void *)&addr, len));
	client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	FAILS(ECONNREFUSED, connect(client, (void *)&addr, len));
	OK(listen(server, 5));
	OK(connect(client, (void *)&addr, len));
	FAILS(EISCONN, connect(client, (void *)&addr, len));
	CHECK(write(client, "early", 5) == 5); /* before accept */
	conn = OK(accept4(server, (void *)&got, &got_len, SOCK_CLOEXEC));
	CHECK(got_len == 2 && fcntl(conn, F_GETFD) == FD_CLOEXEC);
	CHECK(read(conn, buf, 100) == 5);
	got_len = sizeof(got);
	OK(getpeername(client, (void *)&got, &got_len));
	CHECK(got_len == len && !memcmp(&got, &addr, len));
	len = sizeof(cred);
	OK(getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	CHECK(cred.pid == getpid() && cred.uid == getuid());
	CHECK(send(conn, "peek", 4, 0) == 4);
	CHECK(recv(client, buf, 2, MSG_PEEK) == 2 && recv(client, buf, 10, 0) == 4);
	FAILS(EAGAIN, recv(client, buf, 10, MSG_DONTWAIT));
	OK(shutdown(conn, SHUT_WR));
	CHECK(read(client, buf, 10) == 0 && write(client, "back", 4) == 4 && read(conn, buf, 10) == 4);
	close(client);
	CHECK(read(conn, buf, 10) == 0);
	FAILS(EPIPE, send(conn, "x", 1, MSG_NOSIGNAL));
	if (!abstract) {
		OK(stat("sock", &st));
		CHECK(S_ISSOCK(st.st_mode));
	}
	FAILS(EADDRINUSE, bind(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&addr, name(&addr, "sock", abstract)));
	close(conn);
	close(server);
	unlink("sock");
}

static void test_datagram(void)
{
	struct sockaddr_un a, b, from;
	socklen_t alen = name(&a, "dgram-a", 0), blen = name(&b, "dgram-b", 1), flen = sizeof(from);
	int one = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), two = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	unlink("dgram-a");
	OK(bind(one, (void *)&a, alen));
	OK(bind(two, (void *)&b, blen));
	CHECK(sendto(two, "first", 5, 0, (void *)&a, alen) == 5);
	CHECK(sendto(two, "second", 6, 0, (void *)&a, alen) == 6);
	CHECK(recvfrom(one, buf, 3, MSG_TRUNC, (void *)&from, &flen) == 5); /* cut, its length told */
	CHECK(flen == blen && !memcmp(&from, &b, blen));
	CHECK(recv(one, buf, 100, 0) == 6);
	OK(connect(one, (void *)&b, blen));
	CHECK(send(one, "third", 5, 0) == 5 && recv(two, buf, 100, 0) == 5);
	CHECK(send(one, "", 0, 0) == 0 && recv(two, buf, 100, 0) == 0);
	close(two);
	FAILS(ECONNREFUSED, send(one, "x", 1, 0));
	close(one);
	unlink("dgram-a");
}

static void test_seqpacket(void)
{
	struct msghdr msg = { .msg_iov = &(struct iovec){ buf, 3 }, .msg_iovlen = 1 };
	int pair[2];

	OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	CHECK(send(pair[0], "12345", 5, 0) == 5 && send(pair[0], "67", 2, 0) == 2);
	CHECK(recvmsg(pair[1], &msg, 0) == 3 && msg.msg_flags & MSG_TRUNC);
	CHECK(recvmsg(pair[1], &msg, 0) == 2 && !(msg.msg_flags & MSG_TRUNC));
	close(pair[0]);
	CHECK(recv(pair[1], buf, 5, 0) == 0);
	close(pair[1]);
}

union control {
	char space[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static ssize_t send_fds(int sock, int *fds, int n)
{
	union control control = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(sock, &msg, 0);
}

static int receive_fds(int sock, int *fds)
{
	union control control;
	struct iovec iov = { buf, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c;

	CHECK(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) == 1);
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_type == SCM_RIGHTS);
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static void test_rights(void)
{
	int pair[2], pipes[2], got[3], files[2];
	pid_t child;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (!child) {
		OK(pipe(pipes));
		files[0] = OK(open("/etc/passwd", O_RDONLY));
		CHECK(read(files[0], buf, 5) == 5);
		CHECK(send_fds(pair[1], (int[]){ pipes[0], files[0], pair[0] }, 3) == 1);
		CHECK(write(pipes[1], "via", 3) == 3);
		_exit(0);
	}
	CHECK(receive_fds(pair[0], got) == 3);
	CHECK(reap(child) == 0);
	CHECK(read(got[0], buf, 10) == 3 && !memcmp(buf, "via", 3));
	CHECK(lseek(got[1], 0, SEEK_CUR) == 5 && fcntl(got[1], F_GETFD) == FD_CLOEXEC);
	CHECK(read(got[0], buf, 10) == 0); /* the child's write end is closed */
	for (int i = 0; i < 3; i++)
		close(got[i]);
	FAILS(EBADF, send_fds(pair[0], (int[]){ 999 }, 1));
	/* A descriptor in flight outlives its sender's copy, and dies with the socket. */
	OK(pipe(pipes));
	CHECK(send_fds(pair[1], &pipes[1], 1) == 1);
	close(pipes[1]);
	CHECK(fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0);
	FAILS(EAGAIN, read(pipes[0], buf, 1));
	close(pair[0]);
	close(pair[1]);
	CHECK(read(pipes[0], buf, 1) == 0);
}

static void test_credentials(void)
{
	union control control;
	struct iovec iov = { buf, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct ucred cred;
	int pair[2], on = 1;
	pid_t child;

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	OK(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	child = fork();
	if (!child) {
		CHECK(send(pair[1], "cred", 4, 0) == 4);
		_exit(0);
	}
	CHECK(recvmsg(pair[0], &msg, 0) == 4 && CMSG_FIRSTHDR(&msg));
	CHECK(CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_CREDENTIALS);
	memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(cred));
	CHECK(cred.pid == child && cred.uid == getuid() && cred.gid == getgid());
	CHECK(reap(child) == 0);
}

static void test_flow_control(void)
{
	long total = 0, got = 0;
	int pair[2];
	pid_t child;
	ssize_t n;

	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	while ((n = write(pair[0], buf, sizeof(buf))) > 0)
		total += n;
	CHECK(errno == EAGAIN && total > 50000);
	child = fork();
	if (!child) {
		struct pollfd p = { .fd = pair[0], .events = POLLOUT };

		CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLOUT);
		CHECK(write(pair[0], buf, 1) == 1);
		_exit(0);
	}
	while (got < total + 1) {
		struct pollfd p = { .fd = pair[1], .events = POLLIN };

		CHECK(poll(&p, 1, 5000) == 1);
		got += OK(read(pair[1], buf, sizeof(buf)));
	}
	CHECK(reap(child) == 0);
}

/* The message that came with a datagram; NULL: none. */
static struct cmsghdr *receive_stamped(int fd, char *room, size_t size)
{
	static char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = size };

	CHECK(OK(recvmsg(fd, &m, 0)) == 1);
	return CMSG_FIRSTHDR(&m);
}

static void test_stamps(void)
{
	char room[128] __attribute__((aligned(8)));
	int pair[2], on = 1, off = 0, was;
	socklen_t len = sizeof(was);
	struct timespec before, ns;
	struct timeval us;
	struct cmsghdr *c;

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	OK(getsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &was, &len));
	CHECK(!was);
	OK(clock_gettime(CLOCK_REALTIME, &before));
	OK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
	OK(getsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &was, &len));
	CHECK(was == 1);
	OK(send(pair[0], "x", 1, 0));
	c = receive_stamped(pair[1], room, sizeof(room));
	CHECK(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMP && c->cmsg_len == CMSG_LEN(sizeof(us)));
	memcpy(&us, CMSG_DATA(c), sizeof(us));
	CHECK(us.tv_sec >= before.tv_sec && us.tv_sec < before.tv_sec + 100 && us.tv_usec < 1000000);
	OK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	OK(send(pair[0], "x", 1, 0));
	c = receive_stamped(pair[1], room, sizeof(room));
	CHECK(c && c->cmsg_type == SCM_TIMESTAMPNS && c->cmsg_len == CMSG_LEN(sizeof(ns)));
	memcpy(&ns, CMSG_DATA(c), sizeof(ns));
	CHECK(ns.tv_sec >= us.tv_sec && ns.tv_nsec < 1000000000);
	OK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMPNS, &off, sizeof(off)));
	OK(send(pair[0], "x", 1, 0));
	CHECK(!receive_stamped(pair[1], room, sizeof(room)));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	test_stream(0);
	test_stream(1);
	test_datagram();
	test_seqpacket();
	test_rights();
	test_credentials();
	test_stamps();
	test_flow_control();
	return 0;
}
