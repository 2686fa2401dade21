/* SPDX-License-Identifier: Apache-2.0 */
/* epoll over sockets of the network and objects of the kernel at once: level, edge, once, exclusive. */
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static char buf[65536];

static void tcp_pair(int *fds)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = OK(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(addr);

	OK(bind(server, (void *)&addr, len));
	OK(listen(server, 1));
	OK(getsockname(server, (void *)&addr, &len));
	fds[1] = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(fds[1], (void *)&addr, len));
	fds[0] = OK(accept(server, NULL, NULL));
	close(server);
}

/* One of each kind: [0] is watched, what is written to [1] makes it readable. */
#define KINDS 4
static int kinds[KINDS][2];

static void make_kinds(void)
{
	tcp_pair(kinds[0]);
	OK(pipe(kinds[1]));
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, kinds[2]));
	kinds[3][0] = kinds[3][1] = OK(eventfd(0, 0));
}

static void watch(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	OK(epoll_ctl(ep, op, fd, &event));
}

static void fill(int i)
{
	CHECK(write(kinds[i][1], "\1\0\0\0\0\0\0\0", 8) == 8);
}

static void empty(int i)
{
	CHECK(read(kinds[i][0], buf, 8) == 8);
}

/* Wait until just these are reported (bits by kind), each as readable; each event once if `once`. */
static void expect(int ep, unsigned int kinds_ready, int once)
{
	struct epoll_event events[8];
	unsigned int seen = 0;
	double limit = now() + 20;

	while (seen != kinds_ready) {
		int n = OK(epoll_wait(ep, events, 8, 100));

		CHECK(now() < limit);
		for (int i = 0; i < n; i++)
			for (unsigned int k = 0; k < KINDS; k++)
				if (events[i].data.fd == kinds[k][0]) {
					CHECK(events[i].events & EPOLLIN && kinds_ready & 1u << k);
					CHECK(!once || !(seen & 1u << k));
					seen |= 1u << k;
				}
	}
}

static void nothing(int ep)
{
	struct epoll_event event;

	CHECK(epoll_wait(ep, &event, 1, 30) == 0);
}

static void test_modes(void)
{
	int ep = OK(epoll_create1(EPOLL_CLOEXEC));

	make_kinds();
	for (int i = 0; i < KINDS; i++)
		watch(ep, EPOLL_CTL_ADD, kinds[i][0], EPOLLIN);
	nothing(ep);
	for (int i = 0; i < KINDS; i++)
		fill(i);
	expect(ep, 15, 0);
	expect(ep, 15, 0); /* level: again and again */
	empty(0);
	empty(2);
	expect(ep, 10, 0);
	for (int i = 0; i < KINDS; i++)
		watch(ep, EPOLL_CTL_MOD, kinds[i][0], EPOLLIN | EPOLLET);
	expect(ep, 10, 1); /* a changed item is looked at anew */
	nothing(ep);
	fill(0);
	fill(1);
	fill(3);
	expect(ep, 11, 1); /* edge: of new data, though there was some */
	nothing(ep);
	for (int i = 0; i < KINDS; i++)
		watch(ep, EPOLL_CTL_MOD, kinds[i][0], EPOLLIN | EPOLLONESHOT);
	fill(2);
	expect(ep, 15, 1);
	fill(0);
	fill(2);
	nothing(ep);
	watch(ep, EPOLL_CTL_MOD, kinds[0][0], EPOLLIN | EPOLLONESHOT);
	watch(ep, EPOLL_CTL_MOD, kinds[2][0], EPOLLIN | EPOLLONESHOT);
	expect(ep, 5, 1);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, kinds[0][0], NULL));
	FAILS(ENOENT, epoll_ctl(ep, EPOLL_CTL_DEL, kinds[0][0], NULL));
	close(ep);
	for (int i = 0; i < KINDS; i++) {
		close(kinds[i][0]);
		close(kinds[i][1]);
	}
}

/* The other end goes away: hang-ups of all kinds, also unasked. */
static void test_hang_up(void)
{
	struct epoll_event events[8];
	int ep = OK(epoll_create1(0)), hups = 0;
	double limit = now() + 20;

	make_kinds();
	for (int i = 0; i < 3; i++) {
		watch(ep, EPOLL_CTL_ADD, kinds[i][0], EPOLLRDHUP | EPOLLET);
		close(kinds[i][1]);
	}
	while (hups < 3) {
		int n = OK(epoll_wait(ep, events, 8, 100));

		CHECK(now() < limit);
		for (int i = 0; i < n; i++) {
			CHECK(events[i].events & (EPOLLHUP | EPOLLRDHUP));
			hups++;
		}
	}
	nothing(ep);
	close(kinds[0][0]); /* what is closed is not watched any more */
	close(kinds[1][0]);
	close(kinds[2][0]);
	nothing(ep);
	close(ep);
}

/* Out: room comes back. */
static void test_writable(int domain)
{
	struct epoll_event event;
	int fds[2], ep = OK(epoll_create1(0));
	ssize_t n;

	if (domain == AF_UNIX)
		OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	else
		tcp_pair(fds);
	OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	OK(fcntl(fds[1], F_SETFL, O_NONBLOCK));
	watch(ep, EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET);
	CHECK(epoll_wait(ep, &event, 1, 5000) == 1 && event.events == EPOLLOUT);
	do { /* until it is full, though the network moves on what it has */
		for (size_t size = sizeof(buf); size; size /= 16)
			while (write(fds[1], buf, size) > 0)
				;
	} while (epoll_wait(ep, &event, 1, 50) == 1 || write(fds[1], buf, 1) > 0);
	CHECK(errno == EAGAIN);
	do
		n = read(fds[0], buf, sizeof(buf));
	while (n > 0 || epoll_wait(ep, &event, 1, 20) == 0);
	CHECK(event.events == EPOLLOUT && write(fds[1], buf, 1) == 1);
	close(fds[0]);
	close(fds[1]);
	close(ep);
}

static int wakes;

static void *one_wait(void *arg)
{
	struct epoll_event event;
	int ep = *(int *)arg;

	if (OK(epoll_wait(ep, &event, 1, 1000)) == 1)
		__atomic_add_fetch(&wakes, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Two epolls on one listener: each sees the connection, exclusive or not; and refused combinations. */
static void test_exclusive(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = OK(socket(AF_INET, SOCK_STREAM, 0)), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
	int eps[2] = { OK(epoll_create1(0)), OK(epoll_create1(0)) };
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	socklen_t len = sizeof(addr);
	pthread_t threads[2];

	OK(bind(server, (void *)&addr, len));
	OK(listen(server, 5));
	OK(getsockname(server, (void *)&addr, &len));
	for (int i = 0; i < 2; i++) {
		OK(epoll_ctl(eps[i], EPOLL_CTL_ADD, server, &event));
		FAILS(EINVAL, epoll_ctl(eps[i], EPOLL_CTL_MOD, server, &event));
		CHECK(!pthread_create(&threads[i], NULL, one_wait, &eps[i]));
	}
	pause_ms(50);
	OK(connect(fd, (void *)&addr, len));
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(wakes >= 1);
	FAILS(EINVAL, epoll_ctl(eps[0], EPOLL_CTL_ADD, eps[1], &event));
	event.events |= EPOLLONESHOT;
	FAILS(EINVAL, epoll_ctl(eps[0], EPOLL_CTL_ADD, fd, &event));
	close(fd);
	close(server);
	close(eps[0]);
	close(eps[1]);
}

/* The same socket twice, by a copy of its descriptor, and an epoll in an epoll. */
static void test_shapes(void)
{
	struct epoll_event events[4];
	int fds[2], ep = OK(epoll_create1(0)), outer = OK(epoll_create1(0)), copy, n;

	tcp_pair(fds);
	copy = OK(dup(fds[0]));
	watch(ep, EPOLL_CTL_ADD, fds[0], EPOLLIN);
	watch(ep, EPOLL_CTL_ADD, copy, EPOLLOUT);
	watch(outer, EPOLL_CTL_ADD, ep, EPOLLIN);
	CHECK(epoll_wait(outer, events, 4, 5000) == 1 && events[0].data.fd == ep);
	CHECK(epoll_wait(ep, events, 4, 5000) == 1 && events[0].data.fd == copy);
	CHECK(write(fds[1], "x", 1) == 1);
	for (double limit = now() + 20; (n = epoll_wait(ep, events, 4, 100)) != 2;)
		CHECK(now() < limit);
	close(copy);
	FAILS(EBADF, epoll_ctl(ep, EPOLL_CTL_DEL, copy, NULL));
	CHECK(read(fds[0], buf, 1) == 1);
	close(fds[0]);
	close(fds[1]);
	close(ep);
	close(outer);
}

/* All that are ready come at once, if there is room. */
static void test_many(void)
{
	struct epoll_event events[200];
	int ep = OK(epoll_create1(0)), fds[150];

	for (int i = 0; i < 150; i++) {
		fds[i] = OK(eventfd(i > 0, 0));
		watch(ep, EPOLL_CTL_ADD, fds[i], EPOLLIN);
	}
	CHECK(epoll_wait(ep, events, 200, 0) == 149);
	CHECK(epoll_wait(ep, events, 200, -1) == 149);
	CHECK(epoll_wait(ep, events, 100, -1) == 100);
	CHECK(epoll_wait(ep, events, 10, -1) == 10);
	for (int i = 0; i < 150; i++)
		close(fds[i]);
	CHECK(epoll_wait(ep, events, 200, 0) == 0);
	close(ep);
}

int main(void)
{
	test_modes();
	test_hang_up();
	test_writable(AF_UNIX);
	test_writable(AF_INET);
	test_exclusive();
	test_shapes();
	test_many();
	return 0;
}
