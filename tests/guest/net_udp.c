/* SPDX-License-Identifier: Apache-2.0 */
/* UDP on loopback, and the interfaces as getifaddrs sees them. */
#include "check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char buf[70000];

static int bound(struct sockaddr_in *addr)
{
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	OK(bind(fd, (void *)addr, len));
	OK(getsockname(fd, (void *)addr, &len));
	return fd;
}

static void test_unconnected(void)
{
	struct sockaddr_in a, b, from;
	int one = bound(&a), two = bound(&b);
	socklen_t len = sizeof(from);

	CHECK(sendto(one, "hello", 5, 0, (void *)&b, sizeof(b)) == 5);
	CHECK(sendto(one, "again!", 6, 0, (void *)&b, sizeof(b)) == 6);
	CHECK(recvfrom(two, buf, 100, 0, (void *)&from, &len) == 5 && from.sin_port == a.sin_port);
	CHECK(recv(two, buf, 2, MSG_TRUNC) == 6);
	FAILS(EAGAIN, recv(two, buf, 2, MSG_DONTWAIT));
	FAILS(EDESTADDRREQ, send(one, "x", 1, 0));
	CHECK(sendto(one, "", 0, 0, (void *)&b, sizeof(b)) == 0 && recv(two, buf, 9, 0) == 0);
	memset(buf, 'u', 60000);
	CHECK(sendto(one, buf, 60000, 0, (void *)&b, sizeof(b)) == 60000);
	CHECK(recv(two, buf, sizeof(buf), 0) == 60000 && buf[59999] == 'u');
	FAILS(EMSGSIZE, sendto(one, buf, sizeof(buf), 0, (void *)&b, sizeof(b)));
	close(one);
	close(two);
}

static void test_connected(void)
{
	struct sockaddr_in a, b, stranger;
	int one = bound(&a), two = bound(&b), three = bound(&stranger);
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	OK(connect(one, (void *)&b, sizeof(b)));
	CHECK(write(one, "c", 1) == 1 && read(two, buf, 9) == 1);
	CHECK(sendto(three, "s", 1, 0, (void *)&a, sizeof(a)) == 1); /* is filtered out */
	CHECK(sendto(two, "r", 1, 0, (void *)&a, sizeof(a)) == 1);
	CHECK(recv(one, buf, 9, 0) == 1 && buf[0] == 'r');
	close(two);
	CHECK(write(one, "c", 1) == 1);
	CHECK(poll(&(struct pollfd){ .fd = one, .events = POLLIN }, 1, 5000) == 1);
	FAILS(ECONNREFUSED, recv(one, buf, 9, 0));
	OK(connect(one, &none, sizeof(none))); /* dissolves it */
	FAILS(EDESTADDRREQ, write(one, "c", 1));
	close(one);
	close(three);
}

static void test_messages(void)
{
	struct sockaddr_in a, b, from;
	int one = bound(&a), two = bound(&b), on = 1;
	struct iovec out[2] = { { "ab", 2 }, { "cd", 2 } }, in = { buf, 100 };
	struct msghdr msg = { .msg_name = &b, .msg_namelen = sizeof(b), .msg_iov = out, .msg_iovlen = 2 };
	char control[256];
	struct mmsghdr many[3];

	OK(setsockopt(two, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
	CHECK(sendmsg(one, &msg, 0) == 4);
	msg = (struct msghdr){ .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &in,
			       .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	CHECK(recvmsg(two, &msg, 0) == 4 && !memcmp(buf, "abcd", 4) && from.sin_port == a.sin_port);
	CHECK(CMSG_FIRSTHDR(&msg) && CMSG_FIRSTHDR(&msg)->cmsg_type == IP_PKTINFO);
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr = (struct msghdr){ .msg_name = &b, .msg_namelen = sizeof(b),
						   .msg_iov = out, .msg_iovlen = 1 };
	CHECK(sendmmsg(one, many, 3, 0) == 3 && many[2].msg_len == 2);
	for (int i = 0; i < 3; i++)
		CHECK(recv(two, buf, 9, 0) == 2);
	close(one);
	close(two);
}

static void test_v6(void)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback }, from;
	socklen_t len = sizeof(addr);
	int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));

	OK(bind(fd, (void *)&addr, len));
	OK(getsockname(fd, (void *)&addr, &len));
	CHECK(sendto(fd, "six", 3, 0, (void *)&addr, len) == 3);
	CHECK(recvfrom(fd, buf, 9, 0, (void *)&from, &len) == 3 && from.sin6_port == addr.sin6_port);
	close(fd);
}

static void test_interfaces(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	struct ifaddrs *list, *i;
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), found = 0;

	OK(getifaddrs(&list));
	for (i = list; i; i = i->ifa_next)
		if (!strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			found += ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	CHECK(found == 1);
	freeifaddrs(list);
	CHECK(if_nametoindex("lo") > 0);
	OK(ioctl(fd, SIOCGIFFLAGS, &request));
	CHECK(request.ifr_flags & IFF_LOOPBACK && request.ifr_flags & IFF_UP);
	close(fd);
}

int main(void)
{
	test_unconnected();
	test_connected();
	test_messages();
	test_v6();
	test_interfaces();
	return 0;
}
