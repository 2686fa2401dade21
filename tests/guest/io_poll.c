/* SPDX-License-Identifier: Apache-2.0 */
/* poll, select and epoll over everything that can be waited for. */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static int fds[2];

static void *write_later(void *fd)
{
	pause_ms(30);
	CHECK(write(*(int *)fd, "12345678", 8) == 8);
	return NULL;
}

static void later(int *fd, pthread_t *thread)
{
	CHECK(!pthread_create(thread, NULL, write_later, fd));
}

static void test_poll(void)
{
	struct pollfd p[3];
	double start = now();
	pthread_t thread;
	char buf[8];

	OK(pipe(fds));
	p[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fds[1], .events = POLLOUT };
	p[2] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = 77 };
	CHECK(poll(p, 3, 0) == 1 && p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0);
	CHECK(poll(p, 1, 40) == 0 && now() - start >= 0.039);
	later(&fds[1], &thread);
	CHECK(poll(p, 1, 5000) == 1 && p[0].revents == POLLIN && read(fds[0], buf, 8) == 8);
	CHECK(!pthread_join(thread, NULL));
	close(fds[1]);
	CHECK(poll(p, 2, 0) == 2 && p[0].revents == POLLHUP && p[1].revents == POLLNVAL);
	close(fds[0]);
	OK(pipe(fds));
	close(fds[0]);
	p[0] = (struct pollfd){ .fd = fds[1], .events = POLLOUT };
	CHECK(poll(p, 1, 0) == 1 && p[0].revents & POLLERR);
	close(fds[1]);
	p[0].fd = OK(open("/etc/passwd", O_RDONLY));
	p[0].events = POLLIN | POLLOUT;
	CHECK(poll(p, 1, -1) == 1 && p[0].revents == (POLLIN | POLLOUT));
	close(p[0].fd);
	CHECK(poll(NULL, 0, 5) == 0);
}

static void test_select(void)
{
	struct timeval tv = { 0, 20000 };
	struct timespec ts = { 0, 20000000 };
	fd_set in, outs;

	OK(pipe(fds));
	FD_ZERO(&in);
	FD_ZERO(&outs);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &outs);
	CHECK(select(fds[1] + 1, &in, &outs, NULL, NULL) == 1 && !FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &outs));
	FD_SET(fds[0], &in);
	CHECK(select(fds[0] + 1, &in, NULL, NULL, &tv) == 0 && !FD_ISSET(fds[0], &in) && tv.tv_usec == 0);
	FD_SET(fds[0], &in);
	CHECK(pselect(fds[0] + 1, &in, NULL, NULL, &ts, NULL) == 0 && ts.tv_nsec == 20000000);
	close(fds[0]);
	close(fds[1]);
	FD_SET(fds[0], &in);
	tv.tv_sec = 1;
	FAILS(EBADF, select(fds[0] + 1, &in, NULL, NULL, &tv));
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static void test_epoll_levels(void)
{
	struct epoll_event event = { .events = EPOLLIN }, many[4];
	int ep = OK(epoll_create1(EPOLL_CLOEXEC));
	char buf[16];

	OK(pipe(fds));
	add(ep, fds[0], EPOLLIN, 7);
	FAILS(EEXIST, epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event));
	FAILS(ENOENT, epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL));
	FAILS(EINVAL, epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event));
	FAILS(EBADF, epoll_ctl(ep, EPOLL_CTL_ADD, 999, &event));
	CHECK(epoll_wait(ep, many, 4, 0) == 0);
	CHECK(write(fds[1], "abc", 3) == 3);
	CHECK(epoll_wait(ep, many, 4, 1000) == 1 && many[0].events == EPOLLIN && many[0].data.u64 == 7);
	CHECK(epoll_wait(ep, many, 4, 0) == 1); /* level: still so */
	event = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.u64 = 8 };
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event));
	CHECK(epoll_wait(ep, many, 4, 0) == 1 && many[0].data.u64 == 8);
	CHECK(epoll_wait(ep, many, 4, 0) == 0); /* edge: once */
	CHECK(write(fds[1], "d", 1) == 1);
	CHECK(epoll_wait(ep, many, 4, 0) == 1);
	CHECK(read(fds[0], buf, 16) == 4);
	event.events = EPOLLIN | EPOLLONESHOT;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event));
	CHECK(write(fds[1], "e", 1) == 1);
	CHECK(epoll_wait(ep, many, 4, 0) == 1 && epoll_wait(ep, many, 4, 0) == 0);
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event));
	CHECK(epoll_wait(ep, many, 4, 0) == 1);
	event.events = EPOLLIN;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event));
	close(fds[1]);
	CHECK(epoll_wait(ep, many, 4, 0) == 1 && many[0].events == (EPOLLIN | EPOLLHUP));
	close(fds[0]); /* the last reference: leaves the set */
	CHECK(epoll_wait(ep, many, 4, 0) == 0);
	FAILS(EPERM, epoll_ctl(ep, EPOLL_CTL_ADD, OK(open("/etc/passwd", O_RDONLY)), &event));
	FAILS(EINVAL, epoll_wait(ep, many, 0, 0));
	close(ep);
}

static void test_epoll_nested_and_threads(void)
{
	struct epoll_event event;
	int inner = OK(epoll_create1(0)), outer = OK(epoll_create1(0)), ev = OK(eventfd(0, 0));
	struct pollfd p = { .fd = outer, .events = POLLIN };
	pthread_t thread;

	add(inner, ev, EPOLLIN, 1);
	add(outer, inner, EPOLLIN, 2);
	CHECK(poll(&p, 1, 0) == 0);
	later(&ev, &thread);
	CHECK(epoll_wait(outer, &event, 1, 5000) == 1 && event.data.u64 == 2);
	CHECK(epoll_wait(inner, &event, 1, 0) == 1 && event.data.u64 == 1);
	CHECK(poll(&p, 1, 0) == 1);
	CHECK(!pthread_join(thread, NULL));
	close(ev);
	close(inner);
	close(outer);
}

static void test_epoll_many(void)
{
	struct epoll_event events[64];
	int ep = OK(epoll_create1(0)), pairs[100][2];
	int seen = 0;

	for (int i = 0; i < 100; i++) {
		OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]));
		add(ep, pairs[i][0], EPOLLIN | EPOLLRDHUP, i);
	}
	for (int i = 0; i < 100; i += 2)
		CHECK(write(pairs[i][1], "x", 1) == 1);
	for (int n; seen < 50; seen += n) {
		n = OK(epoll_wait(ep, events, 64, 1000));
		CHECK(n > 0);
		for (int i = 0; i < n; i++) {
			char c;

			CHECK(events[i].data.u64 % 2 == 0 && read(pairs[events[i].data.u64][0], &c, 1) == 1);
		}
	}
	close(pairs[1][1]);
	CHECK(epoll_wait(ep, events, 64, 1000) == 1 && events[0].events == (EPOLLIN | EPOLLHUP | EPOLLRDHUP));
	for (int i = 0; i < 100; i++)
		close(pairs[i][0]), close(pairs[i][1]);
	close(ep);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_pwait(void)
{
	int ep = OK(epoll_create1(0));
	struct epoll_event event;
	sigset_t block, none;

	signal(SIGUSR1, on_signal);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &block, NULL));
	raise(SIGUSR1);
	CHECK(epoll_wait(ep, &event, 1, 10) == 0);
	FAILS(EINTR, epoll_pwait(ep, &event, 1, 5000, &none));
	raise(SIGUSR1);
	FAILS(EINTR, ppoll(NULL, 0, &(struct timespec){ 5, 0 }, &none));
	close(ep);
}

int main(void)
{
	test_poll();
	test_select();
	test_epoll_levels();
	test_epoll_nested_and_threads();
	test_epoll_many();
	test_pwait();
	return 0;
}
