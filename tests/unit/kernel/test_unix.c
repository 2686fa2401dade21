/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets; and what inet sockets do beside moving data by the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/time.h>

#include "harness.h"
#include "socket.h"

#define HEADER offsetof(struct sockaddr_un, sun_path)

static int a, b;

static void pair(int type)
{
	uaddr_t fds = ualloc(8);

	CHECK_EQ(sc(__NR_socketpair, AF_UNIX, type, 0, fds), 0);
	a = (int)peek32(fds);
	b = (int)peek32(fds + 4);
}

static void close_pair(void)
{
	sc(__NR_close, a);
	sc(__NR_close, b);
}

/* An address in user memory; a name that begins with '@' is abstract. Its length in *len. */
static uaddr_t name(const char *text, u32 *len)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	strlcpy(un.sun_path, text, sizeof(un.sun_path));
	if (text[0] == '@')
		un.sun_path[0] = 0;
	*len = HEADER + strlen(text) + (text[0] != '@');
	return uput(&un, sizeof(un));
}

static int server(int type, const char *text, int backlog)
{
	u32 len;
	uaddr_t at = name(text, &len);
	int s = (int)sc(__NR_socket, AF_UNIX, type, 0);

	CHECK(s >= 0);
	CHECK_EQ(sc(__NR_bind, s, at, len), 0);
	if (backlog >= 0)
		CHECK_EQ(sc(__NR_listen, s, backlog), 0);
	return s;
}

static long connect_to(int fd, const char *text)
{
	u32 len;
	uaddr_t at = name(text, &len);

	return sc(__NR_connect, fd, at, len);
}

static int client(int type)
{
	int fd = (int)sc(__NR_socket, AF_UNIX, type, 0);

	CHECK(fd >= 0);
	return fd;
}

static long send_to(int fd, const char *data, u32 flags)
{
	return sc(__NR_sendto, fd, ustr(data), strlen(data), flags, 0, 0);
}

static long recv_from(int fd, uaddr_t buf, u64 len, u32 flags)
{
	return sc(__NR_recvfrom, fd, buf, len, flags, 0, 0);
}

static u32 poll_one(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	uaddr_t at = uput(&p, sizeof(p));

	CHECK(sc(__NR_poll, at, 1, 0) >= 0);
	peek(at, &p, sizeof(p));
	return (u16)p.revents;
}

static int option(int fd, int opt)
{
	uaddr_t val = ualloc(8), len = uput(&(u32){ 4 }, 4);

	CHECK_EQ(sc(__NR_getsockopt, fd, SOL_SOCKET, opt, val, len), 0);
	return (int)peek32(val);
}

static void set_option(int fd, int opt, int val)
{
	CHECK_EQ(sc(__NR_setsockopt, fd, SOL_SOCKET, opt, uput(&val, 4), 4), 0);
}

static void ignore_sigpipe(void)
{
	sc(__NR_rt_sigaction, SIGPIPE, uput(&(u64[4]){ 1 }, 32), 0, 8);
}

VM_TEST(stream_basics)
{
	uaddr_t buf = ualloc(4096), n = ualloc(4);

	ignore_sigpipe();
	pair(SOCK_STREAM);
	CHECK_EQ(send_to(a, "hello", 0), 5);
	CHECK_EQ(send_to(a, " stream", 0), 7);
	CHECK_EQ(sc(__NR_ioctl, b, FIONREAD, n), 0);
	CHECK_EQ(peek32(n), 12);
	CHECK_EQ(recv_from(b, buf, 8, MSG_PEEK), 8);
	CHECK(ueq(buf, "hello st"));
	CHECK_EQ(recv_from(b, buf, 3, 0), 3);
	CHECK_EQ(recv_from(b, buf, 100, 0), 9);
	CHECK(ueq(buf, "lo stream"));
	CHECK_EQ(recv_from(b, buf, 100, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(poll_one(b), POLLOUT);
	CHECK_EQ(sc(__NR_write, b, ustr("x"), 1), 1);
	CHECK_EQ(sc(__NR_shutdown, a, SHUT_WR), 0);
	CHECK_EQ(poll_one(b), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(recv_from(b, buf, 100, 0), 0);
	CHECK_EQ(send_to(a, "x", 0), -EPIPE);
	CHECK_EQ(send_to(b, "y", 0), 1);
	CHECK_EQ(recv_from(a, buf, 100, 0), 2);
	sc(__NR_close, b);
	CHECK_EQ(poll_one(a), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(recv_from(a, buf, 100, 0), 0);
	CHECK_EQ(option(a, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(option(a, SO_DOMAIN), AF_UNIX);
}

VM_TEST(reset_by_unread_data)
{
	uaddr_t buf = ualloc(16);

	ignore_sigpipe();
	pair(SOCK_STREAM);
	CHECK_EQ(send_to(a, "unread", 0), 6);
	sc(__NR_close, b);
	CHECK_EQ(poll_one(a), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	CHECK_EQ(recv_from(a, buf, 16, 0), -ECONNRESET);
	CHECK_EQ(recv_from(a, buf, 16, 0), 0);
	CHECK_EQ(send_to(a, "x", 0), -EPIPE);
}

static int killed_by_sigpipe(void *arg)
{
	sc(__NR_close, b);
	CHECK_EQ(send_to(a, "x", MSG_NOSIGNAL), -EPIPE);
	send_to(a, "x", 0);
	return 0;
}

VM_TEST(sigpipe)
{
	pair(SOCK_STREAM);
	sc(__NR_close, b);
	CHECK_EQ(wait_status(fork_run(killed_by_sigpipe, NULL)), SIGPIPE);
}

VM_TEST(names_and_connections)
{
	uaddr_t buf = ualloc(200), len = ualloc(4), addr;
	struct sockaddr_un un;
	int s, c, conn;
	u32 n;

	c = client(SOCK_STREAM);
	CHECK_EQ(connect_to(c, "/tmp/none"), -ENOENT);
	CHECK_EQ(connect_to(c, "@none"), -ECONNREFUSED);
	s = server(SOCK_STREAM, "/tmp/sock", -1);
	CHECK_EQ(connect_to(c, "/tmp/sock"), -ECONNREFUSED);
	CHECK_EQ(sc(__NR_listen, s, 1), 0);
	CHECK_EQ(connect_to(client(SOCK_DGRAM), "/tmp/sock"), -EPROTOTYPE);
	CHECK_EQ(connect_to(c, "/tmp/sock"), 0);
	CHECK_EQ(connect_to(c, "/tmp/sock"), -EISCONN);
	CHECK_EQ(send_to(c, "early", 0), 5);
	conn = (int)sc(__NR_accept4, s, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(conn >= 0);
	CHECK_EQ(recv_from(conn, buf, 100, 0), 5);
	CHECK_EQ(recv_from(conn, buf, 100, 0), -EAGAIN);
	poke32(len, 200);
	CHECK_EQ(sc(__NR_getsockname, conn, buf, len), 0);
	CHECK_EQ(peek32(len), HEADER + 10);
	peek(buf, &un, sizeof(un));
	CHECK(!strcmp(un.sun_path, "/tmp/sock"));
	poke32(len, 200);
	CHECK_EQ(sc(__NR_getpeername, c, buf, len), 0);
	CHECK_EQ(peek32(len), HEADER + 10);
	poke32(len, 200);
	CHECK_EQ(sc(__NR_getpeername, conn, buf, len), 0);
	CHECK_EQ(peek32(len), 2);
	/*
	 * Taken: by path as long as the node is there, by abstract name as long as the socket
	 * lives.
	 */
	addr = name("/tmp/sock", &n);
	CHECK_EQ(sc(__NR_bind, client(SOCK_STREAM), addr, n), -EADDRINUSE);
	sc(__NR_close, s);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "/tmp/sock"), -ECONNREFUSED);
	CHECK_EQ(sc(__NR_unlink, ustr("/tmp/sock")), 0);
	s = server(SOCK_STREAM, "@abstract", 1);
	addr = name("@abstract", &n);
	CHECK_EQ(sc(__NR_bind, client(SOCK_STREAM), addr, n), -EADDRINUSE);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "@abstract"), 0);
	sc(__NR_close, s);
	s = server(SOCK_STREAM, "@abstract", 1);
	/* On the host's file system, too. */
	s = server(SOCK_STREAM, "/host.sock", 1);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "/host.sock"), 0);
	/* Autobind. */
	c = client(SOCK_DGRAM);
	CHECK_EQ(sc(__NR_bind, c, uput(&(u16){ AF_UNIX }, 2), 2), 0);
	poke32(len, 200);
	CHECK_EQ(sc(__NR_getsockname, c, buf, len), 0);
	CHECK_EQ(peek32(len), HEADER + 6);
}

static int accept_later(void *arg)
{
	sleep_ms(40);
	CHECK(sc(__NR_accept, *(int *)arg, 0, 0) >= 0);
	return 0;
}

VM_TEST(backlog)
{
	static int s;
	int c;

	s = server(SOCK_STREAM, "@backlog", 1);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "@backlog"), 0);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "@backlog"), 0);
	c = client(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_EQ(connect_to(c, "@backlog"), -EAGAIN);
	CHECK(thread_run(accept_later, &s) > 0);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "@backlog"), 0);
	/* Who was not accepted is reset. */
	c = client(SOCK_STREAM);
	CHECK(sc(__NR_accept, s, 0, 0) >= 0);
	CHECK_EQ(connect_to(c, "@backlog"), 0);
	sc(__NR_close, s);
	CHECK_EQ(recv_from(c, ualloc(8), 8, 0), -ECONNRESET);
	CHECK_EQ(sc(__NR_accept, client(SOCK_STREAM), 0, 0), -EINVAL);
	CHECK_EQ(sc(__NR_listen, client(SOCK_DGRAM), 1), -EOPNOTSUPP);
}

static int connects_as_other(void *arg)
{
	CHECK_EQ(sc(__NR_setuid, 1000), 0);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "/tmp/sock"), -EACCES);
	CHECK_EQ(connect_to(client(SOCK_STREAM), "/tmp/open"), 0);
	return 0;
}

VM_TEST(permissions)
{
	server(SOCK_STREAM, "/tmp/sock", 5);
	server(SOCK_STREAM, "/tmp/open", 5);
	CHECK_EQ(sc(__NR_chmod, ustr("/tmp/sock"), 0755), 0);
	CHECK_EQ(sc(__NR_chmod, ustr("/tmp/open"), 0777), 0);
	CHECK_EQ(wait_status(fork_run(connects_as_other, NULL)), 0);
}

VM_TEST(datagrams)
{
	uaddr_t buf = ualloc(4096), addr, from = ualloc(128), len = ualloc(4);
	struct sockaddr_un un;
	int s = server(SOCK_DGRAM, "@dgram", -1), c = server(SOCK_DGRAM, "@sender", -1);
	u32 n;
	long sent;

	addr = name("@dgram", &n);
	CHECK_EQ(sc(__NR_sendto, c, ustr("one"), 3, 0, addr, n), 3);
	CHECK_EQ(sc(__NR_sendto, c, ustr("three"), 5, 0, addr, n), 5);
	CHECK_EQ(sc(__NR_sendto, c, 0, 0, 0, addr, n), 0);
	poke32(len, 128);
	CHECK_EQ(sc(__NR_recvfrom, s, buf, 100, 0, from, len), 3);
	CHECK_EQ(peek32(len), HEADER + 7);
	peek(from, &un, sizeof(un));
	CHECK(!memcmp(un.sun_path, "\0sender", 7));
	CHECK_EQ(recv_from(s, buf, 2, MSG_TRUNC), 5);
	CHECK_EQ(recv_from(s, buf, 2, 0), 0);
	CHECK_EQ(recv_from(s, buf, 2, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(send_to(c, "x", 0), -ENOTCONN);
	CHECK_EQ(connect_to(c, "@dgram"), 0);
	CHECK_EQ(send_to(c, "x", 0), 1);
	/* A connected receiver hears its peer only. */
	CHECK_EQ(connect_to(s, "@sender"), 0);
	CHECK_EQ(sc(__NR_sendto, client(SOCK_DGRAM), ustr("y"), 1, 0, addr, n), -EPERM);
	CHECK_EQ(recv_from(s, buf, 2, 0), 1);
	/* A full receiver. */
	for (sent = 0; sc(__NR_sendto, c, ustr("z"), 1, MSG_DONTWAIT, 0, 0) == 1; sent++)
		CHECK(sent < 10000);
	CHECK(sent >= 10);
	CHECK_EQ(poll_one(c), 0);
	CHECK_EQ(recv_from(s, buf, 2, 0), 1);
	CHECK_EQ(poll_one(c), POLLOUT);
	sc(__NR_close, s);
	CHECK_EQ(send_to(c, "x", 0), -ECONNREFUSED);
	CHECK_EQ(send_to(c, "x", 0), -ENOTCONN);
}

VM_TEST(seqpacket)
{
	uaddr_t buf = ualloc(100);

	pair(SOCK_SEQPACKET);
	CHECK_EQ(send_to(a, "first", 0), 5);
	CHECK_EQ(send_to(a, "second", 0), 6);
	CHECK_EQ(recv_from(b, buf, 3, 0), 3);
	CHECK_EQ(recv_from(b, buf, 100, 0), 6);
	sc(__NR_close, a);
	CHECK_EQ(recv_from(b, buf, 100, 0), 0);
	CHECK_EQ(send_to(b, "x", MSG_NOSIGNAL), -EPIPE);
	CHECK_EQ(recv_from(client(SOCK_SEQPACKET), buf, 1, 0), -ENOTCONN);
	CHECK_EQ(sc(__NR_socketpair, AF_UNIX, 77, 0, buf), -EINVAL);
	CHECK_EQ(sc(__NR_socket, 99, SOCK_STREAM, 0), -EAFNOSUPPORT);
}

/* ---- control messages ---- */

struct control {
	struct cmsghdr hdr;
	int data[6];
};

struct message {
	struct user_msghdr hdr;
	u64 iov[2];
	struct control ctl;
	char data[100];
};

/* Lays a message out in user memory. */
static uaddr_t message(struct message *m, const char *data, u64 ctl_len)
{
	uaddr_t at = ualloc(sizeof(*m));

	if (data)
		strlcpy(m->data, data, sizeof(m->data));
	m->iov[0] = at + offsetof(struct message, data);
	m->iov[1] = data ? strlen(data) : sizeof(m->data);
	m->hdr.iov = at + offsetof(struct message, iov);
	m->hdr.iovlen = 1;
	m->hdr.control = at + offsetof(struct message, ctl);
	m->hdr.controllen = ctl_len;
	poke(at, m, sizeof(*m));
	return at;
}

static long send_fds(int to, const int *fds, int n)
{
	struct message m = { .ctl = {
				     { sizeof(struct cmsghdr) + n * 4, SOL_SOCKET, SCM_RIGHTS } } };

	for (int i = 0; i < n; i++)
		m.ctl.data[i] = fds[i];
	return sc(__NR_sendmsg, to, message(&m, "fd", m.ctl.hdr.len), 0);
}

static long receive(int from, struct message *m, u64 room, u32 flags)
{
	uaddr_t at;
	long n;

	memset(m, 0, sizeof(*m));
	at = message(m, NULL, room);
	n = sc(__NR_recvmsg, from, at, flags);
	peek(at, m, sizeof(*m));
	return n;
}

VM_TEST(descriptors)
{
	struct message m;
	int fds[3], pipe_fds[2];
	uaddr_t at = ualloc(8), buf = ualloc(8);

	pair(SOCK_STREAM);
	CHECK_EQ(sc(__NR_pipe2, at, 0), 0);
	pipe_fds[0] = (int)peek32(at);
	pipe_fds[1] = (int)peek32(at + 4);
	fds[0] = fds[1] = pipe_fds[1];
	fds[2] = 999;
	CHECK_EQ(send_fds(a, fds, 3), -EBADF);
	CHECK_EQ(send_fds(a, fds, 2), 2);
	CHECK_EQ(receive(b, &m, sizeof(struct control), MSG_CMSG_CLOEXEC), 2);
	CHECK_EQ(m.ctl.hdr.len, sizeof(struct cmsghdr) + 8);
	CHECK_EQ(m.ctl.hdr.type, SCM_RIGHTS);
	CHECK_EQ(m.hdr.controllen, 24);
	CHECK_EQ(sc(__NR_fcntl, m.ctl.data[0], 1 /* F_GETFD */), 1);
	CHECK_EQ(sc(__NR_write, m.ctl.data[1], ustr("via"), 3), 3);
	CHECK_EQ(sc(__NR_read, pipe_fds[0], buf, 8), 3);
	/* Room for one of two; read() drops both. */
	CHECK_EQ(send_fds(a, fds, 2), 2);
	CHECK_EQ(receive(b, &m, sizeof(struct cmsghdr) + 4, 0), 2);
	CHECK(m.hdr.flags & MSG_CTRUNC);
	CHECK_EQ(m.ctl.hdr.len, sizeof(struct cmsghdr) + 4);
	CHECK_EQ(send_fds(a, fds, 2), 2);
	CHECK_EQ(recv_from(b, buf, 8, 0), 2);
	/* Bytes behind descriptors wait for the next call. */
	CHECK_EQ(send_to(a, "x", 0), 1);
	CHECK_EQ(send_fds(a, fds, 1), 2);
	CHECK_EQ(send_to(a, "y", 0), 1);
	CHECK_EQ(receive(b, &m, sizeof(struct control), 0), 3);
	CHECK_EQ(receive(b, &m, sizeof(struct control), 0), 1);
	CHECK_EQ(m.hdr.controllen, 0);
	/* Closed while in flight: all ends of the pipe are gone when the socket is. */
	CHECK_EQ(send_fds(a, fds, 1), 2);
	close_pair();
	for (int fd = 3; fd < 40; fd++)
		if (fd != pipe_fds[0])
			sc(__NR_close, fd);
	CHECK_EQ(sc(__NR_read, pipe_fds[0], buf, 8), 0);
}

VM_TEST(socket_sent_to_itself)
{
	pair(SOCK_STREAM);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(send_fds(a, (int[]){ b, a }, 2), 2);
	close_pair(); /* a cycle: a leak within limits, no crash */
}

VM_TEST(credentials)
{
	struct ucred cred = { 1, 0, 0 };
	struct message m = { .ctl = { { sizeof(struct cmsghdr) + 12, SOL_SOCKET,
					SCM_CREDENTIALS } } },
		       got;
	uaddr_t at = ualloc(12), len = uput(&(u32){ 12 }, 4);

	pair(SOCK_DGRAM);
	CHECK_EQ(sc(__NR_getsockopt, a, SOL_SOCKET, SO_PEERCRED, at, len), 0);
	peek(at, &cred, sizeof(cred));
	CHECK(cred.pid == 1 && cred.uid == 0 && cred.gid == 0);
	CHECK_EQ(send_to(a, "none", 0), 4);
	CHECK_EQ(receive(b, &got, sizeof(struct control), 0), 4);
	CHECK_EQ(got.hdr.controllen, 0);
	set_option(b, SO_PASSCRED, 1);
	CHECK_EQ(send_to(a, "some", 0), 4);
	CHECK_EQ(receive(b, &got, sizeof(struct control), 0), 4);
	CHECK_EQ(got.ctl.hdr.type, SCM_CREDENTIALS);
	CHECK_EQ(got.ctl.data[0], 1);
	cred.uid = 1234;
	memcpy(m.ctl.data, &cred, sizeof(cred));
	CHECK_EQ(sc(__NR_sendmsg, a, message(&m, "x", m.ctl.hdr.len), 0),
		 1); /* root may claim it */
	CHECK_EQ(receive(b, &got, sizeof(struct control), 0), 1);
	CHECK_EQ(got.ctl.data[1], 1234);
	CHECK_EQ(sc(__NR_setuid, 7), 0);
	CHECK_EQ(sc(__NR_sendmsg, a, message(&m, "x", m.ctl.hdr.len), 0), -EPERM);
}

/* ---- blocking ---- */

#define STREAM (2 << 20)

static u8 pattern(u64 i)
{
	return (u8)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static int write_stream(void *arg)
{
	static u8 data[50000];
	uaddr_t buf = ualloc(sizeof(data));
	u32 big = *(u32 *)arg, seed = 3;

	for (u64 at = 0, n; at < STREAM; at += n) {
		seed = seed * 1103515245 + 12345;
		n = min(1 + (u64)(seed >> 8) % big, STREAM - at);
		for (u64 i = 0; i < n; i++)
			data[i] = pattern(at + i);
		poke(buf, data, n);
		CHECK_EQ(sc(__NR_write, a, buf, n), n);
	}
	sc(__NR_close, a);
	return 0;
}

static void read_stream(u32 big, u32 flags)
{
	static u8 data[50000];
	uaddr_t buf = ualloc(sizeof(data));
	u64 at = 0;
	long n;

	while ((n = recv_from(b, buf, big, flags)) > 0) {
		peek(buf, data, n);
		if (flags & MSG_WAITALL)
			CHECK(n == big || at + n == STREAM);
		for (long i = 0; i < n; i++, at++)
			CHECK(data[i] == pattern(at));
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, STREAM);
}

VM_TEST(stream_between_threads)
{
	static u32 sizes[][3] = { { 50000, 50000, 0 },
				  { 50000, 3000, 0 },
				  { 3000, 50000, 0 },
				  { 5000, 40000, MSG_WAITALL } };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		pair(SOCK_STREAM);
		if (i == 1)
			set_option(a, SO_SNDBUF, 1);
		CHECK(thread_run(write_stream, &sizes[i][0]) > 0);
		read_stream(sizes[i][1], sizes[i][2]);
		sc(__NR_close, b);
	}
}

VM_TEST(timeouts)
{
	struct timeval tv = { 0, 30000 };
	uaddr_t buf = ualloc(1 << 20);
	u64 start = mc_clock(CLOCK_MONOTONIC);

	pair(SOCK_STREAM);
	CHECK_EQ(sc(__NR_setsockopt, a, SOL_SOCKET, SO_RCVTIMEO_OLD, uput(&tv, sizeof(tv)),
		    sizeof(tv)),
		 0);
	CHECK_EQ(sc(__NR_setsockopt, a, SOL_SOCKET, SO_SNDTIMEO_OLD, uput(&tv, sizeof(tv)),
		    sizeof(tv)),
		 0);
	CHECK_EQ(recv_from(a, buf, 1, 0), -EAGAIN);
	CHECK(mc_clock(CLOCK_MONOTONIC) - start >= 29 * NSEC_PER_MSEC);
	CHECK(sc(__NR_write, a, buf, 1 << 20) > 100000);
	CHECK_EQ(sc(__NR_write, a, buf, 1 << 20), -EAGAIN);
	CHECK_EQ(poll_one(a), 0);
}

/* ---- the host's sockets ---- */

static int tcp_server(uaddr_t addr, int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	int l = (int)sc(__NR_socket, family, SOCK_STREAM, 0);

	CHECK(l >= 0);
	poke(addr, &in, sizeof(in));
	CHECK_EQ(sc(__NR_bind, l, addr, sizeof(in)), 0);
	CHECK_EQ(sc(__NR_listen, l, 5), 0);
	CHECK_EQ(sc(__NR_getsockname, l, addr, uput(&(u32){ sizeof(in) }, 4)), 0);
	return l;
}

VM_TEST(tcp)
{
	uaddr_t addr = ualloc(16), buf = ualloc(1 << 20), len = ualloc(4), n = ualloc(4);
	int l = tcp_server(addr, AF_INET),
	    c = (int)sc(__NR_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), s;
	long ret = sc(__NR_connect, c, addr, 16);

	ignore_sigpipe();
	CHECK(ret == -EINPROGRESS || ret == 0);
	poke32(len, 16);
	s = (int)sc(__NR_accept, l, buf, len);
	CHECK(s >= 0);
	CHECK_EQ(peek32(len), 16);
	EVENTUALLY(poll_one(c) & POLLOUT);
	CHECK_EQ(option(c, SO_ERROR), 0);
	CHECK_EQ(recv_from(c, buf, 10, 0), -EAGAIN);
	CHECK_EQ(send_to(c, "hello tcp", 0), 9);
	CHECK_EQ(recv_from(s, buf, 3, MSG_WAITALL), 3);
	CHECK_EQ(recv_from(s, buf, 100, MSG_PEEK), 6);
	CHECK_EQ(sc(__NR_ioctl, s, FIONREAD, n), 0);
	CHECK_EQ(peek32(n), 6);
	CHECK_EQ(sc(__NR_readv, s, uput(&(u64[4]){ buf, 2, buf + 100, 50 }, 32), 2), 6);
	CHECK(ueq(buf, "lo") && ueq(buf + 100, " tcp"));
	set_option(s, SO_KEEPALIVE, 1);
	CHECK_EQ(option(s, SO_KEEPALIVE), 1);
	CHECK_EQ(sc(__NR_shutdown, c, SHUT_WR), 0);
	CHECK_EQ(recv_from(s, buf, 10, 0), 0);
	CHECK_EQ(send_to(c, "x", 0), -EPIPE);
	sc(__NR_close, c);
	EVENTUALLY(send_to(s, "x", 0) < 0);
	CHECK_EQ(sc(__NR_connect, s, addr, 16), -EISCONN);
	sc(__NR_close, l);
	c = (int)sc(__NR_socket, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(sc(__NR_connect, c, addr, 16), -ECONNREFUSED);
}

VM_TEST(tcp_stream)
{
	static u32 size = 50000;
	uaddr_t addr = ualloc(16);
	int l = tcp_server(addr, AF_INET);

	a = (int)sc(__NR_socket, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(sc(__NR_connect, a, addr, 16), 0);
	b = (int)sc(__NR_accept, l, 0, 0);
	CHECK(thread_run(write_stream, &size) > 0);
	read_stream(45000, MSG_WAITALL);
}

VM_TEST(udp)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	uaddr_t addr = uput(&in, sizeof(in)), buf = ualloc(100), len = ualloc(4);
	int s = (int)sc(__NR_socket, AF_INET, SOCK_DGRAM, 0),
	    c = (int)sc(__NR_socket, AF_INET, SOCK_DGRAM, 0);
	struct message m;

	CHECK_EQ(sc(__NR_bind, s, addr, 16), 0);
	CHECK_EQ(sc(__NR_getsockname, s, addr, uput(&(u32){ 16 }, 4)), 0);
	CHECK_EQ(send_to(c, "x", 0), -EDESTADDRREQ);
	CHECK_EQ(sc(__NR_sendto, c, ustr("datagram"), 8, 0, addr, 16), 8);
	poke32(len, 16);
	CHECK_EQ(sc(__NR_recvfrom, s, buf, 100, 0, buf + 50, len), 8);
	CHECK_EQ(peek32(len), 16);
	CHECK_EQ(sc(__NR_sendto, s, ustr("answer"), 6, 0, buf + 50, 16), 6);
	CHECK_EQ(receive(c, &m, 0, 0), 6);
	CHECK_EQ(sc(__NR_connect, c, addr, 16), 0);
	CHECK_EQ(send_to(c, "longer one", 0), 10);
	CHECK_EQ(recv_from(s, buf, 4, MSG_TRUNC), 10);
	CHECK_EQ(recv_from(s, buf, 4, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(sc(__NR_setsockopt, s, IPPROTO_IP, IP_PKTINFO, uput(&(int){ 1 }, 4), 4), 0);
	CHECK_EQ(send_to(c, "with control", 0), 12);
	CHECK_EQ(receive(s, &m, sizeof(struct control), 0), 12);
	CHECK_EQ(m.ctl.hdr.level, IPPROTO_IP);
	CHECK_EQ(m.ctl.hdr.type, IP_PKTINFO);
}

VM_TEST(netlink_dump)
{
	struct {
		struct nlmsghdr hdr;
		struct rtgenmsg gen;
	} req = { { 20, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { 0 } };
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	struct nlmsghdr got;
	uaddr_t addr = uput(&nl, sizeof(nl)), buf = ualloc(65536);
	int s = (int)sc(__NR_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	bool done = false;

	CHECK(s >= 0);
	CHECK_EQ(sc(__NR_socket, AF_NETLINK, SOCK_RAW, 31), -EPROTONOSUPPORT);
	CHECK_EQ(sc(__NR_bind, s, addr, sizeof(nl)), 0);
	CHECK_EQ(sc(__NR_sendto, s, uput(&req, sizeof(req)), 20, 0, addr, sizeof(nl)), 20);
	while (!done) {
		long n = recv_from(s, buf, 65536, 0);

		CHECK(n >= (long)sizeof(got));
		for (long at = 0; at < n; at += NLMSG_ALIGN(got.nlmsg_len)) {
			peek(buf + at, &got, sizeof(got));
			CHECK(got.nlmsg_type == RTM_NEWLINK || got.nlmsg_type == NLMSG_DONE);
			done |= got.nlmsg_type == NLMSG_DONE;
		}
	}
	CHECK_EQ(recv_from(s, buf, 100, MSG_DONTWAIT), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_basics), cmocka_unit_test(reset_by_unread_data),
		cmocka_unit_test(sigpipe),	 cmocka_unit_test(names_and_connections),
		cmocka_unit_test(backlog),	 cmocka_unit_test(permissions),
		cmocka_unit_test(datagrams),	 cmocka_unit_test(seqpacket),
		cmocka_unit_test(descriptors),	 cmocka_unit_test(socket_sent_to_itself),
		cmocka_unit_test(credentials),	 cmocka_unit_test(stream_between_threads),
		cmocka_unit_test(timeouts),	 cmocka_unit_test(tcp),
		cmocka_unit_test(tcp_stream),	 cmocka_unit_test(udp),
		cmocka_unit_test(netlink_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
