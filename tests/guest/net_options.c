/* SPDX-License-Identifier: Apache-2.0 */
/* Socket options of every level: what is set is read back, and as the host's kernel has it. */
#include "check.h"
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/un.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>

#ifndef SO_TIMESTAMP_NEW
#define SO_TIMESTAMP_NEW 63
#define SO_TIMESTAMPNS_NEW 64
#define SO_TIMESTAMPING_NEW 65
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

#define ICMP_FILTER 1 /* linux/icmp.h does not go together with net/if.h */

#define TCP4 AF_INET, SOCK_STREAM
#define UDP4 AF_INET, SOCK_DGRAM
#define TCP6 AF_INET6, SOCK_STREAM
#define UDP6 AF_INET6, SOCK_DGRAM
#define RAW4 AF_INET, SOCK_RAW
#define RAW6 AF_INET6, SOCK_RAW
#define UNIX AF_UNIX, SOCK_STREAM

/* An option with an int, and what is read back when `set` was written. */
static const struct {
	int family, type, level, name, set, want;
} ints[] = {
	{ TCP4, SOL_SOCKET, SO_REUSEADDR, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_REUSEPORT, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_KEEPALIVE, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_OOBINLINE, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_DONTROUTE, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_PRIORITY, 5, 5 },
	{ TCP4, SOL_SOCKET, SO_SNDBUF, 20000, 40000 },
	{ TCP4, SOL_SOCKET, SO_RCVBUF, 20000, 40000 },
	{ TCP4, SOL_SOCKET, SO_RCVLOWAT, 7, 7 },
	{ TCP4, SOL_SOCKET, SO_TIMESTAMP, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_BUSY_POLL, 0, 0 },
	{ TCP4, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1, 1 },
	{ TCP4, SOL_SOCKET, SO_INCOMING_CPU, 0, 0 },
	{ UDP4, SOL_SOCKET, SO_BROADCAST, 1, 1 },
	{ UDP4, SOL_SOCKET, SO_NO_CHECK, 1, 1 },
	{ UDP4, SOL_SOCKET, SO_TIMESTAMPNS, 1, 1 },
	{ UDP4, SOL_SOCKET, SO_TIMESTAMP_NEW, 1, 1 },
	{ UDP4, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE,
	  SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE },
	{ UDP4, SOL_SOCKET, SO_RXQ_OVFL, 1, 1 },
	{ UDP4, SOL_SOCKET, SO_PEEK_OFF, 0, 0 },
	{ TCP4, SOL_SOCKET, SO_TXREHASH, 0, 0 },
	{ TCP4, SOL_SOCKET, SO_PREFER_BUSY_POLL, 0, 0 },
	{ UNIX, SOL_SOCKET, SO_PASSCRED, 1, 1 },
	{ UNIX, SOL_SOCKET, SO_KEEPALIVE, 1, 1 },
	{ UNIX, SOL_SOCKET, SO_REUSEADDR, 1, 1 },
	{ UNIX, SOL_SOCKET, SO_BROADCAST, 1, 1 },
	{ UNIX, SOL_SOCKET, SO_PRIORITY, 3, 3 },
	{ TCP4, IPPROTO_IP, IP_TOS, IPTOS_LOWDELAY, IPTOS_LOWDELAY },
	{ TCP4, IPPROTO_IP, IP_TTL, 33, 33 },
	{ TCP4, IPPROTO_IP, IP_MINTTL, 3, 3 },
	{ TCP4, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DO },
	{ TCP4, IPPROTO_IP, IP_FREEBIND, 1, 1 },
	{ TCP4, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_PKTINFO, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVTTL, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVTOS, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVOPTS, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RETOPTS, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVERR, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVERR_RFC4884, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_UNICAST_IF, 0, 0 },
	{ UDP4, IPPROTO_IP, IP_RECVORIGDSTADDR, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_RECVFRAGSIZE, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_CHECKSUM, 1, 1 },
	{ UDP4, IPPROTO_IP, IP_MULTICAST_TTL, 4, 4 },
	{ UDP4, IPPROTO_IP, IP_MULTICAST_LOOP, 0, 0 },
	{ UDP4, IPPROTO_IP, IP_MULTICAST_ALL, 0, 0 },
	{ UDP4, IPPROTO_UDP, UDP_CORK, 1, 1 },
	{ UDP4, IPPROTO_UDP, UDP_SEGMENT, 500, 500 },
	{ UDP4, IPPROTO_UDP, UDP_GRO, 1, 1 },
	{ UDP4, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1, 1 },
	{ UDP4, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1, 1 },
	{ TCP6, IPPROTO_IPV6, IPV6_V6ONLY, 1, 1 },
	{ TCP6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 21, 21 },
	{ TCP6, IPPROTO_IPV6, IPV6_TCLASS, 8, 8 },
	{ TCP6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, IPV6_PMTUDISC_DO },
	{ TCP6, IPPROTO_IPV6, IPV6_FREEBIND, 1, 1 },
	{ TCP6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 1, 1 },
	{ TCP6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 2, 2 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVERR, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVPATHMTU, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVRTHDR, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_DONTFRAG, 1, 1 },
	{ UDP6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 4, 4 },
	{ UDP6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 0 },
	{ UDP6, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, 0 },
	{ UDP6, IPPROTO_IPV6, IPV6_FLOWINFO, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_NODELAY, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_CORK, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_MAXSEG, 700, 700 },
	{ TCP4, IPPROTO_TCP, TCP_KEEPIDLE, 77, 77 },
	{ TCP4, IPPROTO_TCP, TCP_KEEPINTVL, 7, 7 },
	{ TCP4, IPPROTO_TCP, TCP_KEEPCNT, 3, 3 },
	{ TCP4, IPPROTO_TCP, TCP_SYNCNT, 3, 3 },
	{ TCP4, IPPROTO_TCP, TCP_LINGER2, 9, 9 },
	{ TCP4, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_QUICKACK, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, 5000 },
	{ TCP4, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000, 1000 },
	{ TCP4, IPPROTO_TCP, TCP_FASTOPEN, 5, 5 },
	{ TCP4, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_SAVE_SYN, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_INQ, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, 1 },
	{ TCP4, IPPROTO_TCP, TCP_WINDOW_CLAMP, 50000, 50000 },
	{ TCP4, IPPROTO_TCP, TCP_TX_DELAY, 1000, 1000 },
	{ RAW4, IPPROTO_IP, IP_NODEFRAG, 1, 1 },
	{ RAW4, SOL_RAW, ICMP_FILTER, 1 << ICMP_ECHO, 1 << ICMP_ECHO },
	{ RAW6, SOL_RAW, IPV6_CHECKSUM, 2, 2 },
};

static int option(int fd, int level, int name)
{
	int value = -12345;
	socklen_t len = sizeof(value);

	OK(getsockopt(fd, level, name, &value, &len));
	CHECK(len == 4 || len == 1);
	return len == 1 ? (unsigned char)value : value;
}

static void test_ints(void)
{
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		int protocol = ints[i].type == SOCK_RAW ? IPPROTO_ICMP : 0, got;
		int fd = OK(socket(ints[i].family, ints[i].type, protocol));
		socklen_t len = sizeof(got);

		if (setsockopt(fd, ints[i].level, ints[i].name, &ints[i].set, 4) ||
		    getsockopt(fd, ints[i].level, ints[i].name, (got = 0, &got), &len) ||
		    got != ints[i].want) {
			fprintf(stderr, "row %zu: level %d, option %d: got %d, not %d: ", i, ints[i].level,
				ints[i].name, got, ints[i].want);
			CHECK(!"as it was set");
		}
		close(fd);
	}
}

/* Told, never set. */
static void test_read_only(void)
{
	static const int names[] = { SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN };
	int fd = OK(socket(TCP4, 0)), one = 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		FAILS(ENOPROTOOPT, setsockopt(fd, SOL_SOCKET, names[i], &one, sizeof(one)));
	CHECK(option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	CHECK(option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && option(fd, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0 && option(fd, SOL_SOCKET, SO_SNDLOWAT) == 1);
	CHECK(option(fd, IPPROTO_TCP, TCP_MAXSEG) > 0);
	FAILS(ENOTCONN, getsockopt(fd, IPPROTO_IP, IP_MTU, &one, &(socklen_t){ sizeof(one) }));
	close(fd);
	fd = OK(socket(UDP6, 0));
	CHECK(option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP && option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6);
	close(fd);
}

static void test_structs(void)
{
	int fd = OK(socket(TCP4, 0)), udp = OK(socket(UDP4, 0));
	struct linger linger = { 1, 5 };
	struct timeval tv = { 3, 500000 };
	struct ip_mreqn mreq = { .imr_ifindex = (int)if_nametoindex("lo") };
	char name[64] = "reno", device[IFNAMSIZ] = "";
	struct tcp_info info;
	uint64_t cookie, again, rate = 5000000;
	unsigned int meminfo[9];
	socklen_t len = sizeof(linger);

	OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, len));
	memset(&linger, 0, sizeof(linger));
	OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len));
	CHECK(len == 8 && linger.l_onoff == 1 && linger.l_linger == 5);
	for (int which = 0; which < 4; which++) {
		static const int names[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW };

		len = sizeof(tv);
		OK(setsockopt(fd, SOL_SOCKET, names[which], &tv, len));
		memset(&tv, 0, sizeof(tv));
		OK(getsockopt(fd, SOL_SOCKET, names[which], &tv, &len));
		CHECK(len == sizeof(tv) && tv.tv_sec == 3 && tv.tv_usec >= 490000 && tv.tv_usec <= 510000);
	}
	OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, 4));
	len = sizeof(name);
	OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	CHECK(!strcmp(name, "reno"));
	len = sizeof(info);
	OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	CHECK(len >= 100 && info.tcpi_state == 7 /* TCP_CLOSE */);
	len = sizeof(cookie);
	OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len));
	OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &again, &len));
	CHECK(cookie && cookie == again);
	len = sizeof(meminfo);
	OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, meminfo, &len));
	CHECK(meminfo[1] >= 2048); /* SK_MEMINFO_RCVBUF */
	OK(setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	len = sizeof(rate);
	OK(getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len));
	CHECK(rate == 5000000);
	OK(setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	len = sizeof(device);
	OK(getsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, device, &len));
	CHECK(!strcmp(device, "lo") && len == 3);
	CHECK(option(udp, SOL_SOCKET, SO_BINDTOIFINDEX) == mreq.imr_ifindex);
	OK(setsockopt(udp, IPPROTO_IP, IP_MULTICAST_IF, &mreq, sizeof(mreq)));
	close(fd);
	close(udp);
}

/* What asks for a capability asks for this process's: the hypervisor's own does not count. */
static void test_privileged(void)
{
	static const struct {
		int level, name;
	} rows[] = { { SOL_SOCKET, SO_SNDBUFFORCE }, { SOL_SOCKET, SO_RCVBUFFORCE }, { SOL_SOCKET, SO_PREFER_BUSY_POLL },
		     { SOL_SOCKET, SO_MARK }, { SOL_SOCKET, SO_PRIORITY }, { IPPROTO_IP, IP_TRANSPARENT } };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct cap[2];
	int fd = OK(socket(TCP4, 0)), value = 7;
	struct utsname name;

	OK(syscall(SYS_capget, &head, cap));
	OK(uname(&name));
	for (size_t i = 0; i < 3; i++) { /* CAP_NET_RAW does not do; Callgate's hypervisor never has CAP_NET_ADMIN */
		if (cap[0].effective & 1u << CAP_NET_ADMIN && !strstr(name.release, "callgate"))
			OK(setsockopt(fd, rows[i].level, rows[i].name, &value, sizeof(value)));
		else
			FAILS(EPERM, setsockopt(fd, rows[i].level, rows[i].name, &value, sizeof(value)));
	}
	IN_CHILD(OK(setgid(1000)); OK(setuid(1000));
		 for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			 FAILS(EPERM, setsockopt(fd, rows[i].level, rows[i].name, &value, sizeof(value))));
	close(fd);
}

/* The SYN that a connection began with, and the key of fast open. */
static void test_tcp_values(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = OK(socket(TCP4, 0)), fd = OK(socket(TCP4, 0)), one = 1;
	unsigned char value[256], key[16] = "0123456789abcde";
	socklen_t len = sizeof(addr);

	OK(setsockopt(server, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, sizeof(key)));
	OK(setsockopt(server, IPPROTO_TCP, TCP_SAVE_SYN, &one, sizeof(one)));
	OK(bind(server, (void *)&addr, len));
	OK(listen(server, 1));
	OK(getsockname(server, (void *)&addr, &len));
	len = sizeof(value);
	OK(getsockopt(server, IPPROTO_TCP, TCP_FASTOPEN_KEY, value, &len));
	CHECK(len == sizeof(key) && !memcmp(value, key, sizeof(key)));
	len = sizeof(addr);
	OK(connect(fd, (void *)&addr, len));
	one = OK(accept(server, NULL, NULL));
	len = sizeof(value);
	OK(getsockopt(one, IPPROTO_TCP, TCP_SAVED_SYN, value, &len));
	CHECK(len >= 40 && value[0] >> 4 == 4 && value[9] == IPPROTO_TCP); /* its IP header */
	len = sizeof(value);
	OK(getsockopt(one, IPPROTO_TCP, TCP_CC_INFO, value, &len));
	len = sizeof(uint64_t);
	OK(getsockopt(one, SOL_SOCKET, SO_NETNS_COOKIE, value, &len));
	CHECK(len == sizeof(uint64_t));
	OK(getsockopt(one, SOL_SOCKET, SO_INCOMING_NAPI_ID, value, &(socklen_t){ 4 }));
	close(server);
	close(fd);
	close(one);
}

/* Wrong levels, names, lengths and pointers. */
static void test_errors(void)
{
	int fd = OK(socket(TCP4, 0)), un = OK(socket(UNIX, 0)), udp = OK(socket(UDP4, 0)), one = 1;
	socklen_t len = 4;
	char one_byte = 0;

	FAILS(EINVAL, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 2));
	FAILS(EFAULT, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
	FAILS(EFAULT, getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, &len));
	FAILS(EFAULT, getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, (void *)8));
	FAILS(ENOPROTOOPT, setsockopt(fd, SOL_SOCKET, 9999, &one, 4));
	FAILS(ENOPROTOOPT, getsockopt(fd, SOL_SOCKET, 9999, &one, &len));
	FAILS(ENOPROTOOPT, setsockopt(fd, IPPROTO_TCP, 9999, &one, 4));
	FAILS(ENOPROTOOPT, setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one, 4));
	FAILS(ENOPROTOOPT, setsockopt(udp, IPPROTO_TCP, TCP_NODELAY, &one, 4));
	FAILS(EOPNOTSUPP, getsockopt(un, IPPROTO_TCP, TCP_NODELAY, &one, &len));
	FAILS(EOPNOTSUPP, setsockopt(un, IPPROTO_IP, IP_TTL, &one, 4));
	FAILS(ENOPROTOOPT, setsockopt(un, SOL_SOCKET, 9999, &one, 4));
	FAILS(ENOPROTOOPT, getsockopt(un, SOL_SOCKET, 9999, &one, &len));
	FAILS(EINVAL, setsockopt(fd, IPPROTO_IP, IP_TTL, &one, 0));
	one = 999;
	FAILS(EINVAL, setsockopt(fd, IPPROTO_IP, IP_TTL, &one, 4));
	FAILS(ENOENT, setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "no such", 7));
	FAILS(ENODEV, setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "no-such", 8));
	FAILS(ENOTSOCK, setsockopt(0, SOL_SOCKET, SO_REUSEADDR, &one, 4));
	FAILS(EBADF, getsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &one, &len));
	one_byte = 9;
	OK(setsockopt(udp, IPPROTO_IP, IP_MULTICAST_TTL, &one_byte, 1));
	CHECK(option(udp, IPPROTO_IP, IP_MULTICAST_TTL) == 9);
	len = 2; /* as much as there is room for */
	one = 0;
	OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &one, &len));
	CHECK(len == 2 && one == SOCK_STREAM);
	close(fd);
	close(un);
	close(udp);
}

/* Without a buffer SIOCGIFCONF says how long the list is, whatever its length field held (Java leaves it unset). */
static void test_interfaces(void)
{
	int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct ifreq list[64];
	struct ifconf conf = { .ifc_len = -5 };
	int size;

	OK(ioctl(fd, SIOCGIFCONF, &conf));
	size = conf.ifc_len;
	CHECK(size >= 0 && size % sizeof(struct ifreq) == 0);
	conf = (struct ifconf){ .ifc_len = sizeof(list), .ifc_req = list };
	OK(ioctl(fd, SIOCGIFCONF, &conf));
	CHECK(conf.ifc_len % sizeof(struct ifreq) == 0);
	conf.ifc_len = -5;
	OK(ioctl(fd, SIOCGIFCONF, &conf));
	CHECK(conf.ifc_len == 0);
	close(fd);
}

int main(void)
{
	test_ints();
	test_read_only();
	test_structs();
	test_privileged();
	test_tcp_values();
	test_errors();
	test_interfaces();
	return 0;
}
