/* SPDX-License-Identifier: Apache-2.0 */
/* TCP beyond the plain: dual stack, shared ports, fast open, halves, lingering, message flags. */
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef TCP_INQ
#define TCP_INQ 36
#define TCP_CM_INQ TCP_INQ
#endif

static char buf[70000];

static void set(int fd, int level, int name, int value)
{
	OK(setsockopt(fd, level, name, &value, sizeof(value)));
}

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	OK(getsockopt(fd, level, name, &value, &len));
	return value;
}

static int listener(struct sockaddr_in *addr)
{
	int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	OK(bind(fd, (void *)addr, len));
	OK(listen(fd, 10));
	OK(getsockname(fd, (void *)addr, &len));
	return fd;
}

static void pair(int *a, int *b)
{
	struct sockaddr_in addr;
	int server = listener(&addr);

	*a = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(*a, (void *)&addr, sizeof(addr)));
	*b = OK(accept(server, NULL, NULL));
	close(server);
}

static void readable(int fd)
{
	CHECK(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000) == 1);
}

static void test_dual_stack(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, peer;
	int six = OK(socket(AF_INET6, SOCK_STREAM, 0)), four = OK(socket(AF_INET, SOCK_STREAM, 0)), conn;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 mapped;
	socklen_t len = sizeof(any);

	OK(bind(six, (void *)&any, len));
	OK(listen(six, 5));
	OK(getsockname(six, (void *)&any, &len));
	to.sin_port = any.sin6_port;
	OK(connect(four, (void *)&to, sizeof(to)));
	conn = OK(accept(six, (void *)&peer, &len));
	CHECK(len == sizeof(peer) && peer.sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	close(conn);
	close(four);
	mapped = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = to.sin_port };
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	four = OK(socket(AF_INET6, SOCK_STREAM, 0));
	OK(connect(four, (void *)&mapped, sizeof(mapped)));
	close(OK(accept(six, NULL, NULL)));
	close(four);
	close(six);
	six = OK(socket(AF_INET6, SOCK_STREAM, 0));
	set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	FAILS(ENETUNREACH, connect(six, (void *)&mapped, sizeof(mapped)));
	FAILS(EAFNOSUPPORT, bind(six, (void *)&(struct sockaddr_in){ .sin_family = AF_UNIX }, sizeof(mapped)));
	FAILS(EINVAL, bind(six, (void *)&any, 8));
	close(six);
}

static void test_reuse_port(void)
{
	int a = OK(socket(AF_INET, SOCK_STREAM, 0)), b = OK(socket(AF_INET, SOCK_STREAM, 0)), c, got[2] = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	set(a, SOL_SOCKET, SO_REUSEPORT, 1);
	OK(bind(a, (void *)&addr, len));
	OK(getsockname(a, (void *)&addr, &len));
	FAILS(EADDRINUSE, bind(b, (void *)&addr, len));
	set(b, SOL_SOCKET, SO_REUSEPORT, 1);
	OK(bind(b, (void *)&addr, len));
	OK(listen(a, 50));
	OK(listen(b, 50));
	for (int i = 0; i < 40; i++) {
		struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };

		c = OK(socket(AF_INET, SOCK_STREAM, 0));
		OK(connect(c, (void *)&addr, sizeof(addr)));
		CHECK(poll(p, 2, 10000) == 1);
		got[p[1].revents != 0]++;
		close(OK(accept(p[0].revents ? a : b, NULL, NULL)));
		close(c);
	}
	CHECK(got[0] && got[1]);
	close(a);
	close(b);
}

/* Data with the first packet, where the host's setting allows it; a plain connection where not. */
static void test_fast_open(void)
{
	struct sockaddr_in addr;
	int server = listener(&addr), fd = OK(socket(AF_INET, SOCK_STREAM, 0)), conn;

	set(server, IPPROTO_TCP, TCP_FASTOPEN, 5);
	CHECK(sendto(fd, "early", 5, MSG_FASTOPEN, (void *)&addr, sizeof(addr)) == 5);
	conn = OK(accept(server, NULL, NULL));
	CHECK(recv(conn, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "early", 5));
	CHECK(send(conn, "reply", 5, 0) == 5 && recv(fd, buf, 99, 0) == 5);
	FAILS(EISCONN, connect(fd, (void *)&addr, sizeof(addr)));
	close(fd);
	close(conn);
	fd = OK(socket(AF_INET, SOCK_STREAM, 0));
	set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	OK(connect(fd, (void *)&addr, sizeof(addr)));
	CHECK(write(fd, "later", 5) == 5);
	conn = OK(accept(server, NULL, NULL));
	CHECK(recv(conn, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "later", 5));
	close(fd);
	close(conn);
	close(server);
}

static void test_halves(void)
{
	struct pollfd p = { .events = POLLIN | POLLOUT | POLLRDHUP };
	int a, b;

	pair(&a, &b);
	OK(shutdown(a, SHUT_WR));
	FAILS(EPIPE, send(a, "x", 1, MSG_NOSIGNAL));
	readable(b);
	p.fd = b;
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT | POLLRDHUP));
	CHECK(read(b, buf, 9) == 0 && write(b, "still", 5) == 5 && recv(a, buf, 5, MSG_WAITALL) == 5);
	OK(shutdown(b, SHUT_RDWR));
	p.fd = a;
	while (OK(poll(&p, 1, 10000)) == 1 && !(p.revents & POLLHUP))
		;
	CHECK(p.revents == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	FAILS(ENOTCONN, shutdown(a, SHUT_WR));
	FAILS(ENOTCONN, getpeername(a, (void *)buf, &(socklen_t){ 16 }));
	FAILS(EINVAL, shutdown(b, 7));
	close(a);
	close(b);
	pair(&a, &b);
	OK(shutdown(a, SHUT_RD)); /* what comes is still read: Linux only ends waiting */
	CHECK(recv(a, buf, 9, 0) == 0);
	close(a);
	close(b);
	a = OK(socket(AF_INET, SOCK_STREAM, 0));
	FAILS(ENOTCONN, shutdown(a, SHUT_RDWR));
	FAILS(EPIPE, send(a, "x", 1, MSG_NOSIGNAL));
	CHECK(poll(&(struct pollfd){ .fd = a, .events = POLLIN }, 1, 0) == 1); /* POLLHUP */
	close(a);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	pipes++;
}

static void test_broken(void)
{
	struct linger linger = { 1, 0 };
	int a, b;

	pair(&a, &b);
	OK(setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(b); /* a reset, no end of file */
	readable(a);
	CHECK(get(a, SOL_SOCKET, SO_ERROR) == ECONNRESET && get(a, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(read(a, buf, 1) == 0);
	signal(SIGPIPE, on_pipe);
	FAILS(EPIPE, write(a, "x", 1));
	CHECK(pipes == 1);
	FAILS(EPIPE, send(a, "x", 1, MSG_NOSIGNAL));
	CHECK(pipes == 1);
	close(a);
	linger.l_linger = 5;
	pair(&a, &b);
	OK(setsockopt(a, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CHECK(write(a, "last words", 10) == 10);
	close(a);
	CHECK(recv(b, buf, 99, MSG_WAITALL) == 10);
	close(b);
}

static void *in_parts(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 5; i++) {
		CHECK(send(fd, "0123456789", 10, i & 1 ? MSG_MORE : 0) == 10);
		pause_ms(10);
	}
	return NULL;
}

static void test_message_flags(void)
{
	struct iovec iov[2] = { { buf, 10 }, { buf + 10, 30 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	pthread_t thread;
	int a, b, left;

	pair(&a, &b);
	CHECK(!pthread_create(&thread, NULL, in_parts, &a));
	CHECK(recvmsg(b, &msg, MSG_WAITALL) == 40 && !memcmp(buf + 30, "0123456789", 10));
	CHECK(!pthread_join(thread, NULL) && recv(b, buf, 10, MSG_WAITALL) == 10);
	CHECK(send(a, "abcdef", 6, 0) == 6);
	readable(b);
	CHECK(recv(b, buf, 4, MSG_PEEK) == 4 && recv(b, buf, 4, MSG_PEEK | MSG_DONTWAIT) == 4);
	OK(ioctl(b, FIONREAD, &left));
	CHECK(left == 6 && recv(b, buf, 4, MSG_TRUNC) == 4); /* thrown away */
	CHECK(recv(b, buf, 4, MSG_DONTWAIT) == 2 && !memcmp(buf, "ef", 2));
	FAILS(EAGAIN, recv(b, buf, 4, MSG_DONTWAIT));
	OK(ioctl(a, SIOCOUTQ, &left));
	CHECK(left >= 0);
	CHECK(sendto(a, "x", 1, 0, (void *)&(struct sockaddr_in){ .sin_family = AF_INET }, 16) == 1); /* no address is looked at */
	CHECK(recv(b, buf, 1, 0) == 1);
	FAILS(EFAULT, recv(b, (void *)8, 1, (send(a, "y", 1, 0), 0)));
	FAILS(EFAULT, send(a, (void *)8, 1, 0));
	FAILS(EAGAIN, recvmsg(b, &(struct msghdr){ 0 }, MSG_ERRQUEUE));
	close(a);
	close(b);
}

static void test_control(void)
{
	char control[256] __attribute__((aligned(8)));
	struct iovec iov = { buf, 4 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int a, b;

	pair(&a, &b);
	set(b, IPPROTO_TCP, TCP_INQ, 1);
	CHECK(send(a, "0123456789", 10, 0) == 10);
	readable(b);
	CHECK(recvmsg(b, &msg, 0) == 4);
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ && *(int *)CMSG_DATA(c) == 6);
	iov.iov_len = 6;
	msg.msg_controllen = sizeof(control);
	CHECK(recvmsg(b, &msg, MSG_WAITALL) == 6 && !memcmp(buf, "456789", 6));
	close(a);
	close(b);
}

static void on_alarm(int sig)
{
}

static void test_timeouts(void)
{
	struct timeval tv = { 0, 50000 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sockaddr_in addr;
	int a, b, server = listener(&addr);
	double begin = now();

	pair(&a, &b);
	OK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	OK(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	OK(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(EAGAIN, read(a, buf, 1));
	FAILS(EAGAIN, accept(server, NULL, NULL));
	CHECK(now() - begin >= 0.09);
	while (send(a, buf, sizeof(buf), 0) > 0) /* until the peer's window is full */
		;
	CHECK(errno == EAGAIN);
	CHECK(read(b, buf, 1) == 1);
	/* With a time-out a call is not restarted, without one it is. */
	OK(sigaction(SIGALRM, &sa, NULL));
	tv.tv_sec = 60;
	OK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 50000 }, NULL));
	FAILS(EINTR, read(a, buf, 1));
	close(a);
	close(b);
	close(server);
}

static void test_accept_flags(void)
{
	struct sockaddr_in addr, peer;
	int server = listener(&addr), fd, conn;
	socklen_t len = 4;

	FAILS(EINVAL, accept4(server, NULL, NULL, 0x1234));
	OK(fcntl(server, F_SETFL, O_NONBLOCK));
	FAILS(EAGAIN, accept(server, NULL, NULL));
	fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	CHECK(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	OK(fcntl(fd, F_SETFL, 0));
	OK(connect(fd, (void *)&addr, sizeof(addr)));
	readable(server);
	memset(&peer, 0xee, sizeof(peer));
	conn = OK(accept4(server, (void *)&peer, &len, SOCK_CLOEXEC));
	CHECK(len == sizeof(peer) && peer.sin_family == AF_INET && peer.sin_zero[0] == (unsigned char)0xee);
	CHECK(fcntl(conn, F_GETFD) == FD_CLOEXEC && fcntl(conn, F_GETFL) == O_RDWR); /* not inherited */
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	CHECK(get(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 10 && get(fd, SOL_SOCKET, SO_ERROR) == 0);
	close(conn);
	close(fd);
	close(server);
}

/* A connected socket is dissolved, and then connects or listens anew. */
static void test_unconnect(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in addr, name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = listener(&addr), fd = OK(socket(AF_INET, SOCK_STREAM, 0)), conn;

	OK(connect(fd, (void *)&addr, sizeof(addr)));
	conn = OK(accept(server, NULL, NULL));
	OK(connect(fd, &none, sizeof(none)));
	FAILS(ECONNRESET, read(conn, buf, 1));
	close(conn);
	OK(connect(fd, (void *)&addr, sizeof(addr)));
	conn = OK(accept(server, NULL, NULL));
	CHECK(write(fd, "again", 5) == 5 && recv(conn, buf, 5, MSG_WAITALL) == 5);
	OK(connect(fd, &none, sizeof(none)));
	OK(bind(fd, (void *)&name, sizeof(name)));
	OK(listen(fd, 1));
	CHECK(get(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1);
	close(fd);
	close(conn);
	close(server);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_dual_stack();
	test_reuse_port();
	test_fast_open();
	test_halves();
	test_broken();
	test_message_flags();
	test_control();
	test_timeouts();
	test_accept_flags();
	test_unconnect();
	return 0;
}
