/* SPDX-License-Identifier: Apache-2.0 */
/* Which interrupted calls go on by themselves, and which do not. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

static volatile sig_atomic_t hits;

static void hit(int sig)
{
	(void)sig;
	hits++;
}

static void arm(int flags, int repeat)
{
	struct sigaction sa = { .sa_handler = hit, .sa_flags = flags };
	struct itimerval timer = { { 0, repeat ? 10000 : 0 }, { 0, 30000 } };

	hits = 0;
	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &timer, NULL));
}

static void disarm(void)
{
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
}

static void writer_after(int fd, int ms, pid_t *child)
{
	*child = fork();
	if (!*child) {
		pause_ms(ms);
		CHECK(write(fd, "y", 1) == 1);
		_exit(0);
	}
}

static void test_read(void)
{
	int fds[2], pair[2];
	pid_t child;
	char c;

	OK(pipe(fds));
	arm(0, 0);
	FAILS(EINTR, read(fds[0], &c, 1));
	CHECK(hits == 1);
	writer_after(fds[1], 120, &child);
	arm(SA_RESTART, 1);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'y' && hits > 1);
	disarm();
	CHECK(reap(child) == 0);

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	arm(0, 0);
	FAILS(EINTR, recv(pair[0], &c, 1, 0));
	writer_after(pair[1], 120, &child);
	arm(SA_RESTART, 1);
	CHECK(recv(pair[0], &c, 1, 0) == 1 && hits > 1);
	disarm();
	CHECK(reap(child) == 0);
}

static void test_never_restarted(void)
{
	struct timespec ts = { 5, 0 }, left;
	struct timeval tv = { 5, 0 };
	struct epoll_event event;
	int fds[2], ep = OK(epoll_create1(0));
	struct pollfd p;
	fd_set set;

	OK(pipe(fds));
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	arm(SA_RESTART, 0);
	FAILS(EINTR, poll(&p, 1, 5000));
	arm(SA_RESTART, 0);
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	FAILS(EINTR, select(fds[0] + 1, &set, NULL, NULL, &tv));
	arm(SA_RESTART, 0);
	FAILS(EINTR, epoll_wait(ep, &event, 1, 5000));
	arm(SA_RESTART, 0);
	FAILS(EINTR, nanosleep(&ts, &left));
	CHECK(left.tv_sec == 4 && left.tv_nsec < 999999999);
	arm(SA_RESTART, 0);
	FAILS(EINTR, pause());
	arm(SA_RESTART, 0);
	ts = (struct timespec){ 5, 0 };
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left) == EINTR && left.tv_sec == 4);
}

static void test_wait(void)
{
	pid_t child = fork();

	if (!child) {
		pause_ms(120);
		_exit(5);
	}
	arm(0, 0);
	FAILS(EINTR, wait(NULL));
	arm(SA_RESTART, 1);
	int status;
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5 && hits > 1);
	disarm();
}

static void test_ignored_does_not_interrupt(void)
{
	int fds[2];
	char c;
	pid_t child;

	OK(pipe(fds));
	signal(SIGALRM, SIG_IGN);
	writer_after(fds[1], 80, &child);
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 10000 }, { 0, 10000 } }, NULL));
	CHECK(read(fds[0], &c, 1) == 1);
	disarm();
	signal(SIGCHLD, SIG_DFL);
	CHECK(reap(child) == 0);
}

static void test_stop_and_continue(void)
{
	int fds[2], status;
	pid_t child;

	OK(pipe(fds));
	child = fork();
	if (!child) {
		char c;

		CHECK(read(fds[0], &c, 1) == 1); /* goes on after SIGCONT */
		_exit(0);
	}
	pause_ms(30);
	OK(kill(child, SIGSTOP));
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	OK(kill(child, SIGCONT));
	pause_ms(30);
	CHECK(write(fds[1], "z", 1) == 1);
	CHECK(reap(child) == 0);
}

int main(void)
{
	test_read();
	test_never_restarted();
	test_wait();
	test_ignored_does_not_interrupt();
	test_stop_and_continue();
	return 0;
}
