/* SPDX-License-Identifier: Apache-2.0 */
/* Urgent data, and the signals SIGIO and SIGURG of sockets, pipes and terminals. */
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>

static void pair(int *a, int *b)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = OK(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(addr);

	OK(bind(server, (void *)&addr, len));
	OK(listen(server, 1));
	OK(getsockname(server, (void *)&addr, &len));
	*a = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(*a, (void *)&addr, len));
	*b = OK(accept(server, NULL, NULL));
	close(server);
}

static void test_urgent(void)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int a, b, mark, one = 1, ep = OK(epoll_create1(0));
	char buf[16];
	fd_set except;

	pair(&a, &b);
	FAILS(EINVAL, recv(b, buf, 1, MSG_OOB));
	CHECK(send(a, "ab!", 3, MSG_OOB) == 3 && send(a, "cd", 2, 0) == 2);
	CHECK(poll(&(struct pollfd){ .fd = b, .events = POLLPRI }, 1, 5000) == 1);
	FD_ZERO(&except);
	FD_SET(b, &except);
	CHECK(select(b + 1, NULL, NULL, &except, &(struct timeval){ 5, 0 }) == 1 && FD_ISSET(b, &except));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, b, &event));
	CHECK(epoll_wait(ep, &event, 1, 5000) == 1 && event.events == EPOLLPRI);
	OK(ioctl(b, SIOCATMARK, &mark));
	CHECK(!mark && sockatmark(b) == 0);
	CHECK(recv(b, buf, 16, 0) == 2 && !memcmp(buf, "ab", 2)); /* stops at the mark */
	CHECK(sockatmark(b) == 1);
	CHECK(recv(b, buf, 16, MSG_OOB) == 1 && buf[0] == '!');
	FAILS(EINVAL, recv(b, buf, 1, MSG_OOB));
	CHECK(recv(b, buf, 16, 0) == 2 && !memcmp(buf, "cd", 2));
	OK(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)));
	CHECK(send(a, "x", 1, MSG_OOB) == 1);
	CHECK(poll(&(struct pollfd){ .fd = b, .events = POLLPRI }, 1, 5000) == 1);
	FAILS(EINVAL, recv(b, buf, 1, MSG_OOB));
	CHECK(recv(b, buf, 16, 0) == 1 && buf[0] == 'x');
	close(a);
	close(b);
	close(ep);
}

/* The next of these signals, which are blocked. */
static siginfo_t next(int sig)
{
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(sigtimedwait(&set, &info, &(struct timespec){ 10, 0 }) == sig);
	return info;
}

static void none(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	FAILS(EAGAIN, sigtimedwait(&set, NULL, &(struct timespec){ 0, 30000000 }));
}

static void drain(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 30000000 }) == sig)
		;
}

static void test_sigurg(void)
{
	char c;
	int a, b;

	pair(&a, &b);
	OK(fcntl(b, F_SETOWN, getpid()));
	CHECK(fcntl(b, F_GETOWN) == getpid());
	CHECK(send(a, "!", 1, MSG_OOB) == 1);
	next(SIGURG);
	CHECK(recv(b, &c, 1, MSG_OOB) == 1 && c == '!');
	CHECK(send(a, "?", 1, MSG_OOB) == 1);
	next(SIGURG);
	close(a);
	close(b);
}

static void watch(int fd, int sig)
{
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };

	OK(fcntl(fd, F_SETOWN_EX, &owner));
	OK(fcntl(fd, F_SETSIG, sig));
	OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
	CHECK(fcntl(fd, F_GETSIG) == sig);
}

/* in gets what is written to out. */
static void test_sigio(int in, int out)
{
	int rt = SIGRTMIN + 1, off = 0;
	siginfo_t info;
	char c[4];

	OK(fcntl(in, F_SETOWN, getpid()));
	OK(fcntl(in, F_SETFL, O_ASYNC | O_NONBLOCK));
	drain(SIGIO);
	CHECK(write(out, "1", 1) == 1);
	next(SIGIO);
	CHECK(read(in, c, 1) == 1);
	drain(SIGIO);
	watch(in, rt);
	drain(rt);
	CHECK(write(out, "2", 1) == 1);
	do
		info = next(rt);
	while (!(info.si_band & POLLIN));
	CHECK(info.si_fd == in && (info.si_code == POLL_IN || info.si_code == SI_SIGIO));
	CHECK(read(in, c, 1) == 1 && c[0] == '2');
	drain(rt);
	OK(ioctl(in, FIOASYNC, &off));
	CHECK(!(fcntl(in, F_GETFL) & O_ASYNC));
	CHECK(write(out, "3", 1) == 1);
	none(rt);
	close(in);
	close(out);
}

/* A listener tells of connections, and the owner may be a process group. */
static void test_listener(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = OK(socket(AF_INET, SOCK_STREAM, 0)), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
	struct f_owner_ex owner = { F_OWNER_PGRP, getpgrp() };
	socklen_t len = sizeof(addr);

	OK(bind(server, (void *)&addr, len));
	OK(listen(server, 1));
	OK(getsockname(server, (void *)&addr, &len));
	OK(fcntl(server, F_SETOWN_EX, &owner));
	CHECK(fcntl(server, F_GETOWN_EX, &owner) == 0 && owner.pid == getpgrp());
	OK(fcntl(server, F_SETFL, O_ASYNC));
	drain(SIGIO);
	OK(connect(fd, (void *)&addr, len));
	next(SIGIO);
	close(server);
	close(fd);
}

int main(void)
{
	int a, b, p[2];
	sigset_t set;

	setpgid(0, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGURG);
	sigaddset(&set, SIGRTMIN + 1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	test_urgent();
	test_sigurg();
	pair(&a, &b);
	test_sigio(b, a);
	OK(pipe(p));
	test_sigio(p[0], p[1]);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	test_sigio(p[0], p[1]);
	test_listener();
	return 0;
}
