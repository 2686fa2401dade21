/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens travel between processes for argv[1] seconds: by datagrams to abstract names, found by
 * epoll, often with the descriptor of a pipe that holds a number to check, now and then with a
 * detour over TCP. A timer interrupts every worker all the time. No token may be lost.
 */
#include "check.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define WORKERS 8
#define TOKENS 12

struct token {
	long id, hops, secret;
};

static int ends[WORKERS + 1]; /* workers' sockets; the last one is the parent's */
static pid_t workers[WORKERS];
static double end;

static socklen_t name(struct sockaddr_un *un, int worker)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(un->sun_path + 1, 60, "stress-%d-%d", (int)getpgrp(), worker);
}

/*
 * The descriptor to send with a token: a pipe with its secret in it, already closed on the
 * other side.
 */
static int secret_pipe(struct token *t)
{
	int fds[2];

	OK(pipe(fds));
	t->secret = random();
	CHECK(write(fds[1], &t->secret, sizeof(t->secret)) == sizeof(t->secret));
	close(fds[1]);
	return fds[0];
}

static void check_secret(int fd, const struct token *t)
{
	long got;

	CHECK(read(fd, &got, sizeof(got)) == sizeof(got) && got == t->secret);
	CHECK(read(fd, &got, sizeof(got)) == 0);
	close(fd);
}

static void send_token(int from, int to, struct token *t)
{
	struct sockaddr_un un;
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { t, sizeof(*t) };
	struct msghdr msg = {
		.msg_name = &un, .msg_namelen = name(&un, to), .msg_iov = &iov, .msg_iovlen = 1
	};
	int fd = -1;
	ssize_t n;

	if (random() % 2) {
		fd = secret_pipe(t);
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&msg) =
			(struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	while ((n = sendmsg(from, &msg, 0)) == -1 && errno == EINTR)
		;
	CHECK(n == sizeof(*t));
	if (fd >= 0)
		close(fd);
}

/* 0: nothing there. */
static int receive_token(int from, struct token *t, int flags)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { t, sizeof(*t) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;
	int fd;

	while ((n = recvmsg(from, &msg, flags)) == -1 && errno == EINTR)
		msg.msg_controllen = sizeof(control);
	if (n == -1 && errno == EAGAIN)
		return 0;
	CHECK(n == sizeof(*t));
	if (msg.msg_controllen) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
		check_secret(fd, t);
	}
	return 1;
}

static void tcp_detour(int tcp, long id)
{
	long got = 0;
	ssize_t n;

	while ((n = send(tcp, &id, sizeof(id), 0)) == -1 && errno == EINTR)
		;
	CHECK(n == sizeof(id));
	while ((n = recv(tcp, &got, sizeof(got), MSG_WAITALL)) == -1 && errno == EINTR)
		;
	CHECK(n == sizeof(got) && got == id);
}

static void on_timer(int sig)
{
	(void)sig;
}

static void interrupt_me(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	struct sigaction sa = { .sa_handler = on_timer };

	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &it, NULL));
}

static void work(int me, int tcp)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = OK(epoll_create1(0));
	struct token t;

	srandom(me + 1);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[me], &event));
	interrupt_me();
	for (;;) {
		int n = epoll_wait(ep, &event, 1, -1);

		CHECK(n == 1 || (n == -1 && errno == EINTR));
		while (receive_token(ends[me], &t, MSG_DONTWAIT)) {
			t.hops++;
			if (random() % 16 == 0)
				tcp_detour(tcp, t.id);
			send_token(ends[me], now() < end ? (int)(random() % WORKERS) : WORKERS, &t);
		}
	}
}

static void echo(int conn)
{
	char buf[64];
	ssize_t n;

	while ((n = read(conn, buf, sizeof(buf))) > 0)
		CHECK(write(conn, buf, n) == n);
	_exit(0);
}

static int tcp_pair_end(int listener, struct sockaddr_in *in)
{
	int tcp = OK(socket(AF_INET, SOCK_STREAM, 0)), conn;

	OK(connect(tcp, (void *)in, sizeof(*in)));
	conn = OK(accept(listener, NULL, NULL));
	if (!OK(fork())) {
		close(tcp);
		echo(conn);
	}
	close(conn);
	return tcp;
}

int main(int argc, char **argv)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t in_len = sizeof(in);
	int listener = OK(socket(AF_INET, SOCK_STREAM, 0)), tcp;
	struct sockaddr_un un;
	struct token t;
	long hops = 0, seen = 0;

	end = now() + (argc > 1 ? atoi(argv[1]) : 1);
	setpgid(0, 0);
	OK(bind(listener, (void *)&in, sizeof(in)));
	OK(listen(listener, 5));
	OK(getsockname(listener, (void *)&in, &in_len));
	for (int i = 0; i <= WORKERS; i++) {
		ends[i] = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
		OK(bind(ends[i], (void *)&un, name(&un, i)));
	}
	for (int i = 0; i < WORKERS; i++) {
		tcp = tcp_pair_end(listener, &in);
		workers[i] = OK(fork());
		if (!workers[i])
			work(i, tcp);
		close(tcp);
	}
	for (long i = 0; i < TOKENS; i++) {
		t = (struct token){ .id = i };
		send_token(ends[WORKERS], i % WORKERS, &t);
	}
	for (int i = 0; i < TOKENS; i++) {
		CHECK(receive_token(ends[WORKERS], &t, 0));
		CHECK(!(seen & 1L << t.id));
		seen |= 1L << t.id;
		hops += t.hops;
	}
	CHECK(hops > TOKENS);
	for (int i = 0; i < WORKERS; i++) {
		OK(kill(workers[i], SIGKILL));
		CHECK(reap(workers[i]) == 1000 + SIGKILL);
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK(wait(NULL) > 0); /* the echoing ones see the end of their connections */
	if (argc > 2)
		printf("%ld hops\n", hops);
	return 0;
}
