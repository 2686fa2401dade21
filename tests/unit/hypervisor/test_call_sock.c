/* SPDX-License-Identifier: Apache-2.0 */
/* Socket calls: TCP, UDP, netlink; what is refused. */
#include "fake_guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define S(...)                                                                                     \
	(struct pv_req_sock)                                                                       \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static s32 new_socket(struct guest *g, u32 id, u32 domain, u32 type, u32 protocol)
{
	struct pv_request r = { .cmd = PV_SOCKET };

	r.u.socket = (struct pv_req_xen_socket){
		.id = id, .domain = domain, .type = type, .protocol = protocol
	};
	return guest_call(g, 0, &r).ret;
}

static int take(struct guest *g)
{
	struct pv_donation what;
	int fd = guest_take(g, &what);

	assert_true(fd >= 0);
	return fd;
}

static struct sockaddr_in loopback(u16 port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static s32 bind_to(struct guest *g, u32 id, u16 port, u32 cred)
{
	struct pv_request r = { .cmd = PV_BIND };
	struct sockaddr_in a = loopback(port);

	r.u.bind = (struct pv_req_xen_bind){ .id = id, .len = sizeof(a), .cred = cred };
	memcpy(r.u.bind.addr, &a, sizeof(a));
	return guest_call(g, 0, &r).ret;
}

static s32 connect_to(struct guest *g, u32 id, u16 port)
{
	struct pv_request r = { .cmd = PV_CONNECT };
	struct sockaddr_in a = loopback(port);

	r.u.connect = (struct pv_req_xen_connect){ .id = id, .len = sizeof(a) };
	memcpy(r.u.connect.addr, &a, sizeof(a));
	return guest_call(g, 0, &r).ret;
}

static s32 listen_on(struct guest *g, u32 id)
{
	struct pv_request r = { .cmd = PV_LISTEN };

	r.u.listen.id = id;
	r.u.listen.backlog = 5;
	return guest_call(g, 0, &r).ret;
}

static s32 accept_as(struct guest *g, u32 id, u32 id_new)
{
	struct pv_request r = { .cmd = PV_ACCEPT };

	r.u.accept.id = id;
	r.u.accept.id_new = id_new;
	return guest_call(g, 0, &r).ret;
}

static s32 poll_one(struct guest *g, u32 id)
{
	struct pv_request r = { .cmd = PV_POLL };

	r.u.poll.id = id;
	return guest_call(g, 0, &r).ret;
}

static void tcp_end_to_end(void **state)
{
	struct guest *g = *state;
	int server, client, peer;
	char text[8] = "";
	s32 ret;

	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_STREAM, 0), 0);
	server = take(g);
	assert_int_equal(bind_to(g, 1, 4000, 0), 0);
	assert_int_equal(listen_on(g, 1), 0);
	assert_int_equal(accept_as(g, 1, 3), -EAGAIN);
	assert_int_equal(new_socket(g, 2, AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
	client = take(g);
	ret = connect_to(g, 2, 4000);
	assert_true(ret == 0 || ret == -EINPROGRESS);
	assert_true(poll_one(g, 1) & POLLIN);
	assert_int_equal(accept_as(g, 1, 3), 0);
	assert_int_equal(last_response(g).val, sizeof(struct sockaddr_in));
	peer = take(g);
	assert_true(poll_one(g, 2) & POLLOUT);
	assert_int_equal(fcntl(peer, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
	assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
	assert_int_equal(write(client, "hello", 5), 5);
	assert_int_equal(read(peer, text, sizeof(text)), 5);
	assert_int_equal(sock_call(g, PV_GETPEERNAME, S(.id = 2)), sizeof(struct sockaddr_in));
	assert_int_equal(sock_call(g, PV_GETSOCKNAME, S(.id = 2)), sizeof(struct sockaddr_in));
	/* The guest's copies are stale after a release; the peer still sees the end. */
	release(g, 2);
	assert_int_equal(read(peer, text, sizeof(text)), 0);
	release(g, 1);
	release(g, 3);
	assert_int_equal(new_socket(g, 2, AF_INET, SOCK_STREAM, 0), 0);
	close(take(g));
	ret = connect_to(g, 2, 4000);
	assert_true(ret == -ECONNREFUSED || poll_one(g, 2) & POLLERR);
	close(server);
	close(client);
	close(peer);
}

/* Of the commands on unix sockets, what a correct guest kernel does not do. */
static void unix_sockets_have_no_control(void **state)
{
	struct guest *g = *state;
	struct pv_req_path r = { .flags = SOCK_DGRAM, .mode = 0700, .arg = 1 };

	assert_int_equal(path_call(g, PV_UNIX_BIND, "/tmp/sock", r), 0);
	close(take(g));
	r.arg = 2;
	assert_int_equal(path_call(g, PV_UNIX_BIND, "/tmp/sock", r), -EADDRINUSE);
	assert_int_equal(path_call(g, PV_UNIX_BIND, "/nowhere/sock", r), -EOPNOTSUPP);
	assert_int_equal(path_call(g, PV_UNIX_CONNECT, "/tmp/sock", r), 0);
	close(take(g));
	assert_int_equal(sock_call(g, PV_SENDTO, S(.id = 2, .len = 4)), 4);
	assert_int_equal(sock_call(g, PV_SENDTO, S(.id = 2, .len = 4, .ctl_len = 24)), -EOPNOTSUPP);
	assert_int_equal(sock_call(g, PV_SENDTO, S(.id = 2, .len = 4, .addr_len = 16)), -EINVAL);
	assert_int_equal(sock_call(g, PV_RECVFROM, S(.id = 1, .len = 4, .ctl_len = 64)), -EOPNOTSUPP);
	assert_int_equal(sock_call(g, PV_RECVFROM, S(.id = 1, .len = 4)), 4);
	assert_int_equal(sock_call(g, PV_GETPEERNAME, S(.id = 2)), -EOPNOTSUPP);
	assert_int_equal(connect_to(g, 2, 4000), -EINVAL);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/sock", (struct pv_req_path){ 0 }), 0);
	r.flags = SOCK_RAW;
	r.arg = 3;
	assert_int_equal(path_call(g, PV_UNIX_BIND, "/tmp/sock", r), -ESOCKTNOSUPPORT);
}

/* Who is at the other end is known by its ids: no part of its number on the host is told. */
static void unix_peers_have_no_number(void **state)
{
	struct guest *g = *state;
	struct pv_request r = { .cmd = PV_LISTEN, .u.listen = { .id = 1, .backlog = 1 } };
	struct pv_req_path at = { .flags = SOCK_STREAM, .mode = 0700, .arg = 1 };

	assert_int_equal(path_call(g, PV_UNIX_BIND, "/tmp/peer", at), 0);
	close(take(g));
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
	at.arg = 2;
	assert_int_equal(path_call(g, PV_UNIX_CONNECT, "/tmp/peer", at), 0);
	close(take(g));
	for (u32 len = 1; len <= 12; len++) {
		memset(guest_buf(g, 0), 0xff, 12);
		assert_int_equal(sock_call(g, PV_GETSOCKOPT, S(.id = 2, .level = SOL_SOCKET, .name = SO_PEERCRED, .len = len)), len);
		assert_memory_equal(guest_buf(g, 0), "\0\0\0\0", len < 4 ? len : 4);
	}
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/peer", (struct pv_req_path){ 0 }), 0);
}

static void udp_with_addresses(void **state)
{
	struct guest *g = *state;
	struct sockaddr_in a = loopback(4001);
	struct pv_recv out;

	for (u32 id = 1; id <= 2; id++) {
		assert_int_equal(new_socket(g, id, AF_INET, SOCK_DGRAM, 0), 0);
		close(take(g));
	}
	assert_int_equal(bind_to(g, 1, 4001, 0), 0);
	memcpy(guest_buf(g, 0), &a, sizeof(a));
	memcpy(guest_buf(g, 0) + sizeof(a), "datagram", 8);
	assert_int_equal(sock_call(g, PV_SENDTO, S(.id = 2, .addr_len = sizeof(a), .len = 8)), 8);
	assert_int_equal(
		sock_call(g, PV_RECVFROM,
			  S(.id = 1, .len = 4, .ctl_len = 64, .flags = MSG_PEEK | MSG_TRUNC)),
		4);
	memcpy(&out, guest_buf(g, 0), sizeof(out));
	assert_int_equal(out.full_len, 8);
	assert_int_equal(sock_call(g, PV_RECVFROM, S(.id = 1, .len = 100, .ctl_len = 64)), 8);
	memcpy(&out, guest_buf(g, 0), sizeof(out));
	assert_int_equal(out.addr_len, sizeof(a));
	memcpy(&a, guest_buf(g, 0) + PV_RECV_ADDR_OFF, sizeof(a));
	assert_int_equal(a.sin_family, AF_INET);
	assert_memory_equal(guest_buf(g, 0) + PV_RECV_CTL_OFF + 64, "datagram", 8);
	assert_int_equal(sock_call(g, PV_RECVFROM, S(.id = 1, .len = 100)), -EAGAIN);
}

static void control_data_is_listed(void **state)
{
	struct guest *g = *state;
	struct sockaddr_in a = loopback(4002);
	struct {
		struct cmsghdr head;
		int value, pad;
	} ctl = { .head = { sizeof(ctl.head) + sizeof(int), SOL_IP, IP_TTL }, .value = 5 };

	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_DGRAM, 0), 0);
	close(take(g));
	memcpy(guest_buf(g, 0), &a, sizeof(a));
	memcpy(guest_buf(g, 0) + sizeof(a), &ctl, sizeof(ctl));
	assert_int_equal(
		sock_call(g, PV_SENDTO,
			  S(.id = 1, .addr_len = sizeof(a), .ctl_len = sizeof(ctl), .len = 3)),
		3);
	ctl.head.cmsg_level = SOL_SOCKET;
	ctl.head.cmsg_type = SCM_RIGHTS;
	memcpy(guest_buf(g, 0) + sizeof(a), &ctl, sizeof(ctl));
	assert_int_equal(
		sock_call(g, PV_SENDTO,
			  S(.id = 1, .addr_len = sizeof(a), .ctl_len = sizeof(ctl), .len = 3)),
		-EINVAL);
}

static void families_are_listed(void **state)
{
	struct guest *g = *state;
	struct pv_request r = { .cmd = PV_CONNECT };

	assert_int_equal(new_socket(g, 1, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
	assert_int_equal(new_socket(g, 1, AF_PACKET, SOCK_RAW, 0), -EAFNOSUPPORT);
	assert_int_equal(new_socket(g, 1, 40 /* AF_VSOCK */, SOCK_STREAM, 0), -EAFNOSUPPORT);
	assert_int_equal(new_socket(g, 1, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), -EPROTONOSUPPORT);
	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_STREAM, IPPROTO_SCTP), -EPROTONOSUPPORT);
	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_DGRAM, 0), 0);
	close(take(g));
	r.u.connect =
		(struct pv_req_xen_connect){ .id = 1, .len = 10, .addr = { AF_UNIX, 0, 'x' } };
	assert_int_equal(guest_call(g, 0, &r).ret, -EAFNOSUPPORT);
}

static void options_are_listed(void **state)
{
	struct guest *g = *state;
	int one = 1;

	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_STREAM, 0), 0);
	close(take(g));
	memcpy(guest_buf(g, 0), &one, sizeof(one));
	assert_int_equal(sock_call(g, PV_SETSOCKOPT,
				   S(.id = 1, .level = IPPROTO_TCP, .name = TCP_NODELAY, .len = 4)),
			 0);
	assert_int_equal(sock_call(g, PV_GETSOCKOPT,
				   S(.id = 1, .level = IPPROTO_TCP, .name = TCP_NODELAY, .len = 4)),
			 4);
	memcpy(&one, guest_buf(g, 0), sizeof(one));
	assert_int_equal(one, 1);
	assert_int_equal(sock_call(g, PV_GETSOCKOPT,
				   S(.id = 1, .level = SOL_SOCKET, .name = SO_PEERCRED, .len = 12)),
			 -ENOPROTOOPT);
	assert_int_equal(sock_call(g, PV_SHUTDOWN, S(.id = 1, .name = SHUT_RDWR)), -ENOTCONN);
}

/* What sock_opt.c says is left out is: neither set nor told, though the host has most of it. */
static void options_left_out(void **state)
{
	static const struct {
		u32 level, name;
	} rows[] = { { SOL_SOCKET, SO_ATTACH_FILTER }, { SOL_SOCKET, SO_ATTACH_BPF },
		     { SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF }, { SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF },
		     { SOL_SOCKET, SO_ZEROCOPY }, { SOL_SOCKET, SO_TXTIME }, { IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE },
		     { IPPROTO_TCP, TCP_REPAIR }, { IPPROTO_TCP, TCP_REPAIR_QUEUE }, { IPPROTO_TCP, TCP_MD5SIG },
		     { IPPROTO_TCP, TCP_ULP }, { IPPROTO_IP, 16 /* IP_IPSEC_POLICY */ }, { IPPROTO_IP, IP_XFRM_POLICY },
		     { IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */ }, { IPPROTO_IPV6, 64 }, { IPPROTO_IP, 200 /* MRT_INIT */ },
		     { IPPROTO_IPV6, 200 }, { IPPROTO_UDP, 100 /* UDP_ENCAP */ }, { IPPROTO_IP, 41 /* IP_MSFILTER */ },
		     { IPPROTO_IPV6, 50 /* IPV6_PKTINFO */ }, { 263 /* SOL_PACKET */, 5 /* PACKET_RX_RING */ } };
	struct guest *g = *state;

	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_STREAM, 0), 0);
	close(take(g));
	memset(guest_buf(g, 0), 0, 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(sock_call(g, PV_SETSOCKOPT,
					   S(.id = 1, .level = rows[i].level, .name = rows[i].name, .len = 16)),
				 -ENOPROTOOPT);
		assert_int_equal(sock_call(g, PV_GETSOCKOPT,
					   S(.id = 1, .level = rows[i].level, .name = rows[i].name, .len = 16)),
				 -ENOPROTOOPT);
	}
}

static void low_ports_need_the_capability(void **state)
{
	struct guest *g = *state;
	struct pv_cred *cred = (struct pv_cred *)guest_buf(g, 0);

	*cred = (struct pv_cred){ .fsuid = 1000, .fsgid = 1000 };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 1 }), 0);
	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_STREAM, 0), 0);
	close(take(g));
	assert_int_equal(bind_to(g, 1, 80, 1), -EACCES);
	assert_int_equal(bind_to(g, 1, 80, 0), 0);
}

struct link_request {
	struct nlmsghdr head;
	struct ifinfomsg info;
};

static s32 ask_netlink(struct guest *g, u16 type, u16 flags)
{
	struct link_request r = {
		.head = { .nlmsg_len = sizeof(r), .nlmsg_type = type, .nlmsg_flags = flags }
	};

	r.info.ifi_index = 1;
	memcpy(guest_buf(g, 0), &r, sizeof(r));
	return sock_call(g, PV_SENDTO, S(.id = 1, .len = sizeof(r)));
}

/* Sockets of the network are told of; those of others (unix) not, and none is ended. */
static s32 ask_diag(struct guest *g, u16 type, u8 family, u32 len)
{
	struct {
		struct nlmsghdr head;
		u8 family, rest[55];
	} q = { .head = { .nlmsg_len = len, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.family = family, .rest[0] = IPPROTO_TCP };

	memcpy(guest_buf(g, 0), &q, sizeof(q));
	return sock_call(g, PV_SENDTO, S(.id = 1, .len = len));
}

static void sock_diag_only_asks(void **state)
{
	struct guest *g = *state;

	assert_int_equal(new_socket(g, 1, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), 0);
	assert_int_equal(ask_diag(g, SOCK_DIAG_BY_FAMILY, AF_INET, 72), 72);
	assert_int_equal(ask_diag(g, SOCK_DIAG_BY_FAMILY, AF_UNIX, 72), -ENOENT);
	assert_int_equal(ask_diag(g, SOCK_DIAG_BY_FAMILY, AF_PACKET, 72), -ENOENT);
	assert_int_equal(ask_diag(g, SOCK_DIAG_BY_FAMILY, AF_INET, 16), -ENOENT);
	assert_int_equal(ask_diag(g, SOCK_DESTROY, AF_INET, 72), -EPERM);
	assert_int_equal(ask_diag(g, RTM_GETLINK, AF_INET, 72), -EPERM);
}

static void netlink_only_asks(void **state)
{
	struct guest *g = *state;
	struct nlmsghdr head;

	assert_int_equal(new_socket(g, 1, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), 0);
	assert_int_equal(last_response(g).donation, 0);
	assert_int_equal(ask_netlink(g, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP),
			 sizeof(struct link_request));
	assert_true(sock_call(g, PV_RECVFROM, S(.id = 1, .len = 8192)) > 0);
	memcpy(&head, guest_buf(g, 0) + PV_RECV_CTL_OFF, sizeof(head));
	assert_int_equal(head.nlmsg_type, RTM_NEWLINK);
	assert_int_equal(ask_netlink(g, RTM_NEWLINK, NLM_F_REQUEST), -EPERM);
	assert_int_equal(ask_netlink(g, RTM_DELLINK, NLM_F_REQUEST), -EPERM);
	assert_int_equal(ask_netlink(g, RTM_SETLINK, NLM_F_REQUEST), -EPERM);
	assert_int_equal(ask_netlink(g, RTM_GETNSID, NLM_F_REQUEST), -EOPNOTSUPP);
	/* A second message behind an innocent first one. */
	ask_netlink(g, RTM_GETLINK, NLM_F_REQUEST);
	memcpy(guest_buf(g, 0) + 32, guest_buf(g, 0), 32);
	head = (struct nlmsghdr){ .nlmsg_len = 32, .nlmsg_type = RTM_DELLINK };
	memcpy(guest_buf(g, 0) + 32, &head, sizeof(head));
	assert_int_equal(sock_call(g, PV_SENDTO, S(.id = 1, .len = 64)), -EPERM);
}

static void interface_queries(void **state)
{
	struct guest *g = *state;
	struct ifreq ifr = { .ifr_name = "lo" };

	assert_int_equal(new_socket(g, 1, AF_INET, SOCK_DGRAM, 0), 0);
	close(take(g));
	memcpy(guest_buf(g, 0), &ifr, sizeof(ifr));
	assert_int_equal(handle_call(g, PV_IOCTL,
				     (struct pv_req_handle){
					     .id = 1, .flags = SIOCGIFINDEX, .len = sizeof(ifr) }),
			 0);
	memcpy(&ifr, guest_buf(g, 0), sizeof(ifr));
	assert_int_equal(ifr.ifr_ifindex, 1);
	assert_int_equal(
		handle_call(g, PV_IOCTL,
			    (struct pv_req_handle){ .id = 1, .flags = SIOCGIFCONF, .len = 4096 }),
		sizeof(ifr));
	assert_int_equal(handle_call(g, PV_IOCTL,
				     (struct pv_req_handle){
					     .id = 1, .flags = SIOCSIFFLAGS, .len = sizeof(ifr) }),
			 -ENOTTY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

/* The host tells the length that it would need: no more than was asked for may come back. */
static void option_longer_than_asked(void **state)
{
	struct guest *g = *state;
	u8 *buf = guest_buf(g, 0);

	assert_int_equal(new_socket(g, 60, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), 0);
	memcpy(buf, &(int){ RTNLGRP_LINK }, sizeof(int));
	assert_int_equal(sock_call(g, PV_SETSOCKOPT, S(.id = 60, .level = SOL_NETLINK,
			 .name = NETLINK_ADD_MEMBERSHIP, .len = 4)), 0);
	for (u32 len = 0; len <= 4; len += 4) {
		memset(buf, 0xee, 64);
		assert_int_equal(sock_call(g, PV_GETSOCKOPT, S(.id = 60, .level = SOL_NETLINK,
				 .name = NETLINK_LIST_MEMBERSHIPS, .len = len)), len);
		for (u32 i = len; i < 64; i++)
			assert_int_equal(buf[i], 0xee);
	}
	release(g, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tcp_end_to_end),	T(udp_with_addresses), T(unix_sockets_have_no_control), T(unix_peers_have_no_number), T(control_data_is_listed),
		T(families_are_listed), T(options_are_listed), T(options_left_out), T(low_ports_need_the_capability),
		T(netlink_only_asks),	T(sock_diag_only_asks),	T(interface_queries),  T(option_longer_than_asked),
	};

	return cmocka_run_group_tests(tests, container_setup, NULL);
}
