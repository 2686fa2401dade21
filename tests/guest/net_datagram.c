/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams beyond the plain: groups, control messages, errors, segments, echo and raw sockets. */
#include "check.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

static char buf[70000];

static void set(int fd, int level, int name, int value)
{
	OK(setsockopt(fd, level, name, &value, sizeof(value)));
}

static struct sockaddr_in local(in_addr_t to, in_port_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(to), .sin_port = port };
}

/* A socket bound to an address, and the port that it got. */
static int bound(in_addr_t to, in_port_t *port)
{
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in addr = local(to, 0);
	socklen_t len = sizeof(addr);

	OK(bind(fd, (void *)&addr, len));
	OK(getsockname(fd, (void *)&addr, &len));
	*port = addr.sin_port;
	return fd;
}

static int bound6(struct sockaddr_in6 *addr)
{
	int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	OK(bind(fd, (void *)addr, len));
	OK(getsockname(fd, (void *)addr, &len));
	return fd;
}

static struct msghdr message(void *name, socklen_t len, struct iovec *iov, void *control, size_t room)
{
	return (struct msghdr){ .msg_name = name, .msg_namelen = len, .msg_iov = iov, .msg_iovlen = 1,
				.msg_control = control, .msg_controllen = room };
}

static struct cmsghdr *find(struct msghdr *msg, int level, int type)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	while (c && (c->cmsg_level != level || c->cmsg_type != type))
		c = CMSG_NXTHDR(msg, c);
	CHECK(c);
	return c;
}

static char control[1024] __attribute__((aligned(8)));

static void test_multicast(void)
{
	in_addr_t group = 0xefff2a01; /* 239.255.42.1 */
	struct ip_mreqn join = { { htonl(group) }, { htonl(INADDR_LOOPBACK) }, (int)if_nametoindex("lo") };
	in_port_t port;
	int in = bound(INADDR_ANY, &port), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(group, port), from;
	socklen_t len = sizeof(from);

	OK(setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
	FAILS(EADDRINUSE, setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
	OK(setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof(join)));
	CHECK(sendto(out, "group", 5, 0, (void *)&to, sizeof(to)) == 5);
	CHECK(recvfrom(in, buf, 99, 0, (void *)&from, &len) == 5 && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	OK(setsockopt(in, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof(join)));
	FAILS(EADDRNOTAVAIL, setsockopt(in, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof(join)));
	close(in);
	close(out);
}

/* A group, but of one sender only, or of all but one; by the old options and by those that both families have. */
static void test_multicast_sources(void)
{
	in_addr_t group = 0xefff2a02;
	struct ip_mreq_source one = { .imr_multiaddr.s_addr = htonl(group), .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				      .imr_sourceaddr.s_addr = htonl(0x7f000002) };
	struct ip_mreqn via = { { 0 }, { htonl(INADDR_LOOPBACK) }, (int)if_nametoindex("lo") };
	struct ip_mreqn join = { { htonl(group) }, { htonl(INADDR_LOOPBACK) }, via.imr_ifindex };
	struct group_source_req req = { .gsr_interface = (unsigned int)via.imr_ifindex };
	struct sockaddr_in to, source;
	in_port_t port, ports[2];
	int in = bound(INADDR_ANY, &port), out[2] = { bound(0x7f000001, &ports[0]), bound(0x7f000002, &ports[1]) };

	to = local(group, port);
	source = local(0x7f000001, 0);
	memcpy(&req.gsr_group, &to, sizeof(to));
	memcpy(&req.gsr_source, &source, sizeof(source));
	for (int i = 0; i < 2; i++)
		OK(setsockopt(out[i], IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)));
	for (int how = 0; how < 3; how++) { /* the second sender, the first, all but the second */
		if (how == 0)
			OK(setsockopt(in, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one)));
		else if (how == 1)
			OK(setsockopt(in, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req)));
		else
			OK(setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
		if (how == 2)
			OK(setsockopt(in, IPPROTO_IP, IP_BLOCK_SOURCE, &one, sizeof(one)));
		CHECK(sendto(out[0], "1", 1, 0, (void *)&to, sizeof(to)) == 1);
		CHECK(sendto(out[1], "2", 1, 0, (void *)&to, sizeof(to)) == 1);
		CHECK(recv(in, buf, 9, 0) == 1 && buf[0] == (how == 0 ? '2' : '1'));
		FAILS(EAGAIN, recv(in, buf, 9, MSG_DONTWAIT));
		if (how == 0)
			OK(setsockopt(in, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &one, sizeof(one)));
		else if (how == 1)
			OK(setsockopt(in, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, &req, sizeof(req)));
		else
			OK(setsockopt(in, IPPROTO_IP, IP_UNBLOCK_SOURCE, &one, sizeof(one)));
	}
	CHECK(sendto(out[1], "3", 1, 0, (void *)&to, sizeof(to)) == 1 && recv(in, buf, 9, 0) == 1 && buf[0] == '3');
	close(in);
	close(out[0]);
	close(out[1]);
}

/* Loopback has no route for groups of IPv6: what can be seen is who is a member. */
static void test_multicast6(void)
{
	int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
	struct sockaddr_in6 group = { .sin6_family = AF_INET6 };
	struct ipv6_mreq join = { .ipv6mr_interface = if_nametoindex("lo") };
	struct group_req again = { .gr_interface = join.ipv6mr_interface };

	inet_pton(AF_INET6, "ff15::2a01", &group.sin6_addr);
	join.ipv6mr_multiaddr = group.sin6_addr;
	memcpy(&again.gr_group, &group, sizeof(group));
	set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)join.ipv6mr_interface);
	OK(setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof(join)));
	FAILS(EADDRINUSE, setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &again, sizeof(again)));
	OK(setsockopt(fd, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &join, sizeof(join)));
	OK(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &again, sizeof(again)));
	OK(setsockopt(fd, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &again, sizeof(again)));
	close(fd);
}

static void test_broadcast(void)
{
	in_port_t port;
	int in = bound(INADDR_ANY, &port), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(0x7fffffff, port); /* 127.255.255.255 */

	FAILS(EACCES, sendto(out, "all", 3, 0, (void *)&to, sizeof(to)));
	set(out, SOL_SOCKET, SO_BROADCAST, 1);
	CHECK(sendto(out, "all", 3, 0, (void *)&to, sizeof(to)) == 3);
	CHECK(recv(in, buf, 99, 0) == 3);
	close(in);
	close(out);
}

/* What a server behind several addresses does: it answers from the one that was asked. */
static void test_pktinfo(void)
{
	in_port_t port, mine;
	int server = bound(INADDR_ANY, &port), client = bound(INADDR_LOOPBACK, &mine);
	struct sockaddr_in to = local(0x7f000005, port), from;
	struct iovec iov = { buf, 99 };
	struct msghdr msg = message(&from, sizeof(from), &iov, control, sizeof(control));
	struct in_pktinfo *info;
	socklen_t len = sizeof(from);

	set(server, IPPROTO_IP, IP_PKTINFO, 1);
	set(server, IPPROTO_IP, IP_RECVTTL, 1);
	set(server, IPPROTO_IP, IP_RECVTOS, 1);
	set(client, IPPROTO_IP, IP_TTL, 9);
	CHECK(sendto(client, "ask", 3, 0, (void *)&to, sizeof(to)) == 3);
	CHECK(recvmsg(server, &msg, 0) == 3 && msg.msg_namelen == sizeof(from) && from.sin_port == mine);
	info = (void *)CMSG_DATA(find(&msg, IPPROTO_IP, IP_PKTINFO));
	CHECK(info->ipi_addr.s_addr == to.sin_addr.s_addr && info->ipi_ifindex == (int)if_nametoindex("lo"));
	CHECK(*(int *)CMSG_DATA(find(&msg, IPPROTO_IP, IP_TTL)) == 9);
	find(&msg, IPPROTO_IP, IP_TOS);
	info->ipi_spec_dst = to.sin_addr;
	info->ipi_ifindex = 0;
	*(struct cmsghdr *)control = (struct cmsghdr){ CMSG_LEN(sizeof(*info)), IPPROTO_IP, IP_PKTINFO };
	memmove(CMSG_DATA((struct cmsghdr *)control), info, sizeof(*info));
	msg = message(&from, sizeof(from), &iov, control, CMSG_SPACE(sizeof(*info)));
	iov.iov_len = 6;
	CHECK(sendmsg(server, &msg, 0) == 6);
	CHECK(recvfrom(client, buf, 99, 0, (void *)&from, &len) == 6);
	CHECK(from.sin_addr.s_addr == to.sin_addr.s_addr && from.sin_port == port);
	/* Half of a control message: what there is room for, and MSG_CTRUNC. */
	CHECK(sendto(client, "ask", 3, 0, (void *)&to, sizeof(to)) == 3);
	msg = message(NULL, 0, &iov, control, CMSG_LEN(4));
	iov.iov_len = 2;
	CHECK(recvmsg(server, &msg, 0) == 2 && msg.msg_flags == (MSG_TRUNC | MSG_CTRUNC));
	/* Control messages that do not belong here. */
	*(struct cmsghdr *)control = (struct cmsghdr){ CMSG_LEN(4), IPPROTO_IP, 222 };
	msg = message(&to, sizeof(to), &iov, control, CMSG_SPACE(4));
	FAILS(EINVAL, sendmsg(client, &msg, 0));
	close(server);
	close(client);
}

static void test_pktinfo6(void)
{
	struct sockaddr_in6 at, mine, from;
	int server = bound6(&at), client = bound6(&mine);
	struct iovec iov = { buf, 99 };
	struct msghdr msg = message(&from, sizeof(from), &iov, control, sizeof(control));
	struct in6_pktinfo *info;
	struct cmsghdr *c = (struct cmsghdr *)control;

	set(server, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set(server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	set(server, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	set(client, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	CHECK(sendto(client, "ask", 3, 0, (void *)&at, sizeof(at)) == 3);
	CHECK(recvmsg(server, &msg, 0) == 3 && from.sin6_port == mine.sin6_port);
	info = (void *)CMSG_DATA(find(&msg, IPPROTO_IPV6, IPV6_PKTINFO));
	CHECK(!memcmp(&info->ipi6_addr, &in6addr_loopback, 16) && info->ipi6_ifindex == if_nametoindex("lo"));
	CHECK(*(int *)CMSG_DATA(find(&msg, IPPROTO_IPV6, IPV6_TCLASS)) == 0x20);
	CHECK(*(int *)CMSG_DATA(find(&msg, IPPROTO_IPV6, IPV6_HOPLIMIT)) == 64);
	*c = (struct cmsghdr){ CMSG_LEN(4), IPPROTO_IPV6, IPV6_HOPLIMIT };
	*(int *)CMSG_DATA(c) = 7;
	msg = message(&at, sizeof(at), &iov, control, CMSG_SPACE(4));
	iov.iov_len = 3;
	CHECK(sendmsg(client, &msg, 0) == 3);
	msg = message(NULL, 0, &iov, control, sizeof(control));
	CHECK(recvmsg(server, &msg, 0) == 3 && *(int *)CMSG_DATA(find(&msg, IPPROTO_IPV6, IPV6_HOPLIMIT)) == 7);
	close(server);
	close(client);
}

static void test_segments(void)
{
	in_port_t port, gro_port;
	int in = bound(INADDR_LOOPBACK, &port), gro = bound(INADDR_LOOPBACK, &gro_port);
	int out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(INADDR_LOOPBACK, port);
	struct iovec iov = { buf, 1000 };
	struct msghdr msg = message(&to, sizeof(to), &iov, control, CMSG_SPACE(2));
	struct cmsghdr *c = (struct cmsghdr *)control;
	int sum = 0;

	*c = (struct cmsghdr){ CMSG_LEN(2), IPPROTO_UDP, UDP_SEGMENT };
	*(unsigned short *)CMSG_DATA(c) = 400;
	CHECK(sendmsg(out, &msg, 0) == 1000);
	CHECK(recv(in, buf, 9999, 0) == 400 && recv(in, buf, 9999, 0) == 400 && recv(in, buf, 9999, 0) == 200);
	set(out, IPPROTO_UDP, UDP_SEGMENT, 300);
	OK(connect(out, (void *)&to, sizeof(to)));
	CHECK(send(out, buf, 600, 0) == 600);
	CHECK(recv(in, buf, 9999, 0) == 300 && recv(in, buf, 9999, 0) == 300);
	set(gro, IPPROTO_UDP, UDP_GRO, 1);
	to.sin_port = gro_port;
	CHECK(sendto(out, buf, 1200, 0, (void *)&to, sizeof(to)) == 1200);
	while (sum < 1200) { /* the host joins them, or does not */
		ssize_t n;

		iov.iov_len = 9999;
		msg = message(NULL, 0, &iov, control, sizeof(control));
		n = OK(recvmsg(gro, &msg, 0));
		if (n > 300)
			CHECK(*(int *)CMSG_DATA(find(&msg, IPPROTO_UDP, UDP_GRO)) == 300);
		sum += (int)n;
	}
	CHECK(sum == 1200);
	close(in);
	close(gro);
	close(out);
}

static void test_error_queue(void)
{
	in_port_t port;
	int dead = bound(INADDR_LOOPBACK, &port), fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(INADDR_LOOPBACK, port), name;
	struct iovec iov = { buf, 99 };
	struct msghdr msg = message(&name, sizeof(name), &iov, control, sizeof(control));
	struct sock_extended_err *e;
	struct pollfd p = { .fd = fd };

	close(dead);
	set(fd, IPPROTO_IP, IP_RECVERR, 1);
	FAILS(EAGAIN, recvmsg(fd, &msg, MSG_ERRQUEUE));
	CHECK(sendto(fd, "dead", 4, 0, (void *)&to, sizeof(to)) == 4);
	CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLERR);
	msg = message(&name, sizeof(name), &iov, control, sizeof(control));
	CHECK(recvmsg(fd, &msg, MSG_ERRQUEUE) == 4 && msg.msg_flags & MSG_ERRQUEUE && !memcmp(buf, "dead", 4));
	e = (void *)CMSG_DATA(find(&msg, IPPROTO_IP, IP_RECVERR));
	CHECK(e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP && e->ee_type == ICMP_DEST_UNREACH);
	CHECK(name.sin_port == port);
	close(fd);
}

static void test_timestamps(void)
{
	in_port_t port;
	int in = bound(INADDR_LOOPBACK, &port), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(INADDR_LOOPBACK, port);
	struct iovec iov = { buf, 99 };
	struct msghdr msg;
	struct timeval tv, wall;
	struct timespec *ts;

	set(in, SOL_SOCKET, SO_TIMESTAMP, 1);
	CHECK(sendto(out, "t", 1, 0, (void *)&to, sizeof(to)) == 1);
	msg = message(NULL, 0, &iov, control, sizeof(control));
	CHECK(recvmsg(in, &msg, 0) == 1);
	memcpy(&tv, CMSG_DATA(find(&msg, SOL_SOCKET, SCM_TIMESTAMP)), sizeof(tv));
	gettimeofday(&wall, NULL);
	CHECK(tv.tv_sec >= wall.tv_sec - 20 && tv.tv_sec <= wall.tv_sec);
	set(in, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	CHECK(sendto(out, "t", 1, 0, (void *)&to, sizeof(to)) == 1);
	msg = message(NULL, 0, &iov, control, sizeof(control));
	CHECK(recvmsg(in, &msg, 0) == 1);
	ts = (void *)CMSG_DATA(find(&msg, SOL_SOCKET, SCM_TIMESTAMPNS));
	CHECK(ts->tv_sec >= wall.tv_sec && ts->tv_nsec < 1000000000);
	close(in);
	in = bound(INADDR_LOOPBACK, &to.sin_port);
	FAILS(ENOENT, ioctl(in, SIOCGSTAMP, &tv)); /* from now on */
	CHECK(sendto(out, "t", 1, 0, (void *)&to, sizeof(to)) == 1 && recv(in, buf, 9, 0) == 1);
	OK(ioctl(in, SIOCGSTAMP, &tv));
	CHECK(tv.tv_sec >= wall.tv_sec);
	close(in);
	close(out);
}

static void test_many(void)
{
	in_port_t port;
	int in = bound(INADDR_LOOPBACK, &port), out = OK(socket(AF_INET, SOCK_DGRAM, 0)), left;
	struct sockaddr_in to = local(INADDR_LOOPBACK, port), from[4];
	struct timespec ts = { 0, 50000000 };
	struct mmsghdr m[4];
	struct iovec iov[4];
	double begin;

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf + i * 100, (size_t)(10 + i) };
		m[i].msg_hdr = message(&to, sizeof(to), &iov[i], NULL, 0);
	}
	CHECK(sendmmsg(out, m, 4, 0) == 4 && m[0].msg_len == 10 && m[3].msg_len == 13);
	OK(ioctl(in, FIONREAD, &left));
	CHECK(left == 10); /* of the next datagram */
	for (int i = 0; i < 4; i++) {
		iov[i].iov_len = 100;
		m[i].msg_hdr = message(&from[i], sizeof(from[i]), &iov[i], NULL, 0);
	}
	CHECK(recvmmsg(in, m, 2, 0, NULL) == 2 && m[1].msg_len == 11);
	CHECK(recvmmsg(in, m, 4, MSG_WAITFORONE, NULL) == 2 && m[1].msg_len == 13);
	CHECK(m[0].msg_hdr.msg_namelen == sizeof(from[0]) && from[0].sin_family == AF_INET);
	FAILS(EAGAIN, recvmmsg(in, m, 4, MSG_DONTWAIT, NULL));
	CHECK(sendto(out, "one", 3, 0, (void *)&to, sizeof(to)) == 3);
	begin = now();
	set(in, SOL_SOCKET, SO_RCVBUF, 30000);
	OK(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 100000 }, sizeof(struct timeval)));
	CHECK(recvmmsg(in, m, 4, 0, &ts) == 1 && now() - begin < 20);
	FAILS(EINVAL, recvmmsg(in, m, 4, 0, &(struct timespec){ 0, 2000000000 }));
	close(in);
	close(out);
}

static void test_flags(void)
{
	in_port_t port;
	int in = bound(INADDR_LOOPBACK, &port), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = local(INADDR_LOOPBACK, port);
	struct iovec iov = { buf, 2 };
	struct msghdr msg = message(NULL, 0, &iov, NULL, 0);

	OK(connect(out, (void *)&to, sizeof(to)));
	CHECK(send(out, "ab", 2, MSG_MORE) == 2); /* one datagram of two sends */
	FAILS(EAGAIN, recv(in, buf, 9, MSG_DONTWAIT));
	CHECK(send(out, "cd", 2, 0) == 2);
	CHECK(recv(in, buf, 2, MSG_PEEK | MSG_TRUNC) == 4 && recvmsg(in, &msg, MSG_PEEK) == 2);
	CHECK(msg.msg_flags == MSG_TRUNC && recv(in, buf, 99, MSG_WAITALL) == 4 && !memcmp(buf, "abcd", 4));
	OK(shutdown(out, SHUT_RD));
	CHECK(recv(out, buf, 9, 0) == 0);
	OK(shutdown(out, SHUT_WR));
	FAILS(EPIPE, send(out, "x", 1, MSG_NOSIGNAL));
	FAILS(EOPNOTSUPP, listen(in, 1));
	FAILS(EOPNOTSUPP, accept(in, NULL, NULL));
	FAILS(EOPNOTSUPP, send(in, "x", 1, MSG_OOB));
	close(in);
	close(out);
}

/* IPv4 through an IPv6 socket, and not, if it is for IPv6 alone. */
static void test_mapped(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, from;
	int six = OK(socket(AF_INET6, SOCK_DGRAM, 0)), only = OK(socket(AF_INET6, SOCK_DGRAM, 0)), four;
	socklen_t len = sizeof(any);
	struct sockaddr_in to;
	in_port_t mine;

	OK(bind(six, (void *)&any, len));
	OK(getsockname(six, (void *)&any, &len));
	to = local(INADDR_LOOPBACK, any.sin6_port);
	four = bound(INADDR_LOOPBACK, &mine);
	CHECK(sendto(four, "v4", 2, 0, (void *)&to, sizeof(to)) == 2);
	CHECK(recvfrom(six, buf, 9, 0, (void *)&from, &len) == 2 && IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CHECK(from.sin6_port == mine && sendto(six, "back", 4, 0, (void *)&from, len) == 4);
	CHECK(recv(four, buf, 9, 0) == 4);
	set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	FAILS(ENETUNREACH, sendto(only, "no", 2, 0, (void *)&from, len));
	FAILS(EAFNOSUPPORT, connect(four, (void *)&(struct sockaddr_in6){ .sin6_family = AF_INET6,
				    .sin6_addr = in6addr_loopback, .sin6_port = mine }, sizeof(any)));
	close(six);
	close(only);
	close(four);
}

static unsigned short checksum(const unsigned short *p, int n)
{
	unsigned int sum = 0;

	while (n-- > 0)
		sum += *p++;
	sum = (sum >> 16) + (sum & 0xffff);
	return (unsigned short)~(sum + (sum >> 16));
}

/* An echo by a raw socket, which needs CAP_NET_RAW: the header comes along. */
static void test_raw(void)
{
	int fd = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), value = -1;
	struct sockaddr_in to = local(INADDR_LOOPBACK, 0);
	struct icmphdr echo = { .type = ICMP_ECHO, .un.echo = { htons(0x4242), htons(7) } };
	struct icmphdr *reply = (void *)(buf + sizeof(struct iphdr));
	socklen_t len = sizeof(value);

	OK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &len));
	CHECK(value == IPPROTO_ICMP);
	echo.checksum = checksum((void *)&echo, sizeof(echo) / 2);
	CHECK(sendto(fd, &echo, sizeof(echo), 0, (void *)&to, sizeof(to)) == sizeof(echo));
	do
		CHECK(recv(fd, buf, sizeof(buf), 0) >= (ssize_t)(sizeof(struct iphdr) + sizeof(echo)));
	while (reply->type != ICMP_ECHOREPLY || reply->un.echo.id != htons(0x4242));
	CHECK(((struct iphdr *)buf)->protocol == IPPROTO_ICMP && reply->un.echo.sequence == htons(7));
	close(fd);
	FAILS(EPROTONOSUPPORT, socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	FAILS(EPROTONOSUPPORT, socket(AF_INET, SOCK_RAW, 0));
	IN_CHILD(OK(setgid(1000)); OK(setuid(1000)); FAILS(EPERM, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)));
}

/* Echo without a privilege, for the groups of ping_group_range: the test says whether it is among them. */
static void test_ping(int family)
{
	int fd = socket(family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in to4 = local(INADDR_LOOPBACK, 0);
	FILE *f = fopen("/proc/sys/net/ipv4/ping_group_range", "r");
	struct icmphdr echo = { .type = family == AF_INET ? ICMP_ECHO : 128 };
	unsigned long low = 1, high = 0;

	CHECK(f && fscanf(f, "%lu %lu", &low, &high) == 2);
	fclose(f);
	if (low > getgid() || high < getgid()) {
		CHECK(fd == -1 && errno == EACCES);
		return;
	}
	CHECK(fd >= 0);
	echo.un.echo.sequence = htons(3);
	if (family == AF_INET)
		CHECK(sendto(fd, &echo, sizeof(echo), 0, (void *)&to4, sizeof(to4)) == sizeof(echo));
	else
		CHECK(sendto(fd, &echo, sizeof(echo), 0, (void *)&to, sizeof(to)) == sizeof(echo));
	CHECK(recv(fd, buf, 99, 0) == sizeof(echo));
	CHECK(buf[0] == (family == AF_INET ? ICMP_ECHOREPLY : (char)129));
	CHECK(((struct icmphdr *)buf)->un.echo.sequence == htons(3));
	close(fd);
}

int main(void)
{
	test_multicast();
	test_multicast_sources();
	test_multicast6();
	test_broadcast();
	test_pktinfo();
	test_pktinfo6();
	test_segments();
	test_error_queue();
	test_timestamps();
	test_many();
	test_flags();
	test_mapped();
	test_raw();
	test_ping(AF_INET);
	test_ping(AF_INET6);
	return 0;
}
