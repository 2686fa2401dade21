/* SPDX-License-Identifier: Apache-2.0 */
/* TCP on loopback, over IPv4 and IPv6. */
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static char buf[65536];
static socklen_t address_len;

static int listener(int family, union address *addr)
{
	int fd = OK(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), on = 1;

	memset(addr, 0, sizeof(*addr));
	addr->any.sa_family = family;
	if (family == AF_INET)
		addr->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		addr->v6.sin6_addr = in6addr_loopback;
	address_len = family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
	OK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	OK(bind(fd, &addr->any, address_len));
	OK(listen(fd, 20));
	OK(getsockname(fd, &addr->any, &address_len));
	CHECK(addr->v4.sin_port);
	return fd;
}

static int connected(const union address *addr)
{
	int fd = OK(socket(addr->any.sa_family, SOCK_STREAM, 0));

	OK(connect(fd, &addr->any, address_len));
	return fd;
}

static void test_basics(int family)
{
	union address addr, peer, local;
	int server = listener(family, &addr), client = connected(&addr), conn, value, left;
	socklen_t len = sizeof(peer);
	struct iovec iov[2] = { { "two ", 4 }, { "parts", 5 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	conn = OK(accept4(server, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK(len == address_len && fcntl(conn, F_GETFL) & O_NONBLOCK);
	len = sizeof(local);
	OK(getsockname(client, &local.any, &len));
	CHECK(!memcmp(&local, &peer, address_len > 8 ? 8 : address_len));
	len = sizeof(peer);
	OK(getpeername(client, &peer.any, &len));
	CHECK(peer.v4.sin_port == addr.v4.sin_port);
	FAILS(EAGAIN, read(conn, buf, 1));
	CHECK(write(client, "hello", 5) == 5);
	CHECK(poll(&(struct pollfd){ .fd = conn, .events = POLLIN }, 1, 5000) == 1);
	OK(ioctl(conn, FIONREAD, &left));
	CHECK(left == 5 && recv(conn, buf, 3, MSG_PEEK) == 3 && read(conn, buf, 100) == 5);
	CHECK(sendmsg(conn, &msg, 0) == 9 && recv(client, buf, 9, MSG_WAITALL) == 9);
	CHECK(!memcmp(buf, "two parts", 9));
	CHECK(writev(client, iov, 2) == 9);
	value = 1;
	OK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
	value = 0;
	len = sizeof(value);
	OK(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &len));
	CHECK(value);
	OK(getsockopt(client, SOL_SOCKET, SO_TYPE, &value, &len));
	CHECK(value == SOCK_STREAM);
	OK(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
	CHECK(value == 1);
	OK(shutdown(client, SHUT_WR));
	CHECK(fcntl(conn, F_SETFL, 0) == 0);
	CHECK(recv(conn, buf, 100, MSG_WAITALL) == 9 && read(conn, buf, 1) == 0);
	CHECK(write(conn, "half", 4) == 4 && recv(client, buf, 4, MSG_WAITALL) == 4);
	close(conn);
	CHECK(read(client, buf, 1) == 0);
	close(client);
	close(server);
}

static void test_errors(void)
{
	union address addr;
	int server = listener(AF_INET, &addr), fd = OK(socket(AF_INET, SOCK_STREAM, 0)), conn;
	struct linger linger = { 1, 0 };
	struct timeval tv = { 0, 30000 };

	FAILS(EADDRINUSE, bind(fd, &addr.any, address_len));
	FAILS(ENOTCONN, getpeername(fd, &addr.any, &address_len));
	FAILS(ENOTCONN, recv(fd, buf, 1, 0));
	FAILS(EINVAL, accept(fd, NULL, NULL));
	OK(connect(fd, &addr.any, address_len));
	FAILS(EISCONN, connect(fd, &addr.any, address_len));
	OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(EAGAIN, recv(fd, buf, 1, 0)); /* after the time-out */
	conn = OK(accept(server, NULL, NULL));
	OK(setsockopt(conn, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(conn);
	FAILS(ECONNRESET, recv(fd, buf, 1, 0));
	close(fd);
	close(server);
	fd = OK(socket(AF_INET, SOCK_STREAM, 0));
	FAILS(ECONNREFUSED, connect(fd, &addr.any, address_len));
	FAILS(EAFNOSUPPORT, socket(99, SOCK_STREAM, 0));
	FAILS(ENOTSOCK, listen(0, 1));
	FAILS(EADDRNOTAVAIL, bind(fd, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(0xc0000201) }, sizeof(struct sockaddr_in)));
	close(fd);
}

static void test_nonblocking_connect(void)
{
	union address addr;
	int server = listener(AF_INET, &addr), fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	int error, ret = connect(fd, &addr.any, address_len);
	socklen_t len = sizeof(error);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	CHECK(!ret || errno == EINPROGRESS);
	CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLOUT);
	OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	CHECK(error == 0);
	close(fd);
	close(server);
	fd = p.fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK(connect(fd, &addr.any, address_len) == -1);
	if (errno != ECONNREFUSED) {
		CHECK(errno == EINPROGRESS && poll(&p, 1, 5000) == 1 && p.revents & (POLLERR | POLLHUP));
		OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
		CHECK(error == ECONNREFUSED);
	}
	close(fd);
}

#define BULK (8L << 20)

static void *drain(void *arg)
{
	static char in[65536];
	unsigned long sum = 0;
	long total = 0;
	ssize_t n;

	while ((n = OK(recv(*(int *)arg, in, sizeof(in), 0))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum += (unsigned char)in[i];
		total += n;
	}
	CHECK(total == BULK);
	return (void *)sum;
}

static void test_bulk(int family)
{
	union address addr;
	int server = listener(family, &addr), client = connected(&addr);
	int conn = OK(accept(server, NULL, NULL));
	unsigned long sum = 0;
	pthread_t thread;
	void *got;

	CHECK(!pthread_create(&thread, NULL, drain, &conn));
	for (long i = 0; i < BULK / (long)sizeof(buf); i++) {
		memset(buf, i, sizeof(buf));
		sum += (unsigned char)i * sizeof(buf);
		CHECK(send(client, buf, sizeof(buf), 0) == sizeof(buf));
	}
	close(client);
	CHECK(!pthread_join(thread, &got) && got == (void *)sum);
	close(conn);
	close(server);
}

static void test_processes(void)
{
	union address addr;
	int server = listener(AF_INET, &addr);

	for (int i = 0; i < 4; i++) { /* one listener, several acceptors */
		if (!fork()) {
			for (int j = 0; j < 5; j++) {
				int conn = OK(accept(server, NULL, NULL));
				char c;

				CHECK(read(conn, &c, 1) == 1);
				c++;
				CHECK(write(conn, &c, 1) == 1);
				close(conn);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 20; i++) {
		int fd = connected(&addr);
		char c = i;

		CHECK(write(fd, &c, 1) == 1 && read(fd, &c, 1) == 1 && c == i + 1);
		close(fd);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		OK(wait(&status));
		CHECK(status == 0);
	}
	close(server);
}

static void test_epoll_server(void)
{
	struct epoll_event event = { .events = EPOLLIN }, events[16];
	union address addr;
	int server = listener(AF_INET, &addr), ep = OK(epoll_create1(0)), clients[10], echoed = 0;

	OK(fcntl(server, F_SETFL, O_NONBLOCK));
	event.data.fd = server;
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, server, &event));
	for (int i = 0; i < 10; i++) {
		clients[i] = connected(&addr);
		CHECK(send(clients[i], "ping", 4, 0) == 4);
	}
	while (echoed < 10) {
		int n = OK(epoll_wait(ep, events, 16, 5000));

		CHECK(n > 0);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == server) {
				event.data.fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
				if (event.data.fd >= 0)
					OK(epoll_ctl(ep, EPOLL_CTL_ADD, event.data.fd, &event));
			} else if (read(events[i].data.fd, buf, 100) == 4) {
				CHECK(write(events[i].data.fd, buf, 4) == 4);
				echoed++;
			}
		}
	}
	for (int i = 0; i < 10; i++)
		CHECK(recv(clients[i], buf, 4, MSG_WAITALL) == 4);
}

static void test_sendfile(void)
{
	union address addr;
	int server = listener(AF_INET, &addr), client = connected(&addr);
	int conn = OK(accept(server, NULL, NULL)), file = OK(open("/etc/passwd", O_RDONLY));
	off_t size = lseek(file, 0, SEEK_END), offset = 0;

	CHECK(sendfile(client, file, &offset, size) == size);
	CHECK(recv(conn, buf, size, MSG_WAITALL) == size && !memcmp(buf, "root:", 5));
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_basics(AF_INET);
	test_basics(AF_INET6);
	test_errors();
	test_nonblocking_connect();
	test_bulk(AF_INET);
	test_bulk(AF_INET6);
	test_processes();
	test_epoll_server();
	test_sendfile();
	return 0;
}
