/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket options: an allow-list. No option in it has a pointer or a descriptor in its value. Left out:
 *   SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_*: programs for the host kernel to run;
 *   SO_ZEROCOPY, TCP_ZEROCOPY_RECEIVE: the host would keep, or map, pages of a guest process;
 *   SO_TXTIME, TCP_REPAIR*, TCP_MD5SIG, TCP_AO_*, TCP_ULP, IP_XFRM_POLICY, IP_IPSEC_POLICY: keys, states and
 *     queueing of the host's stack;
 *   netfilter's and multicast routing's: tables of the network namespace, which the guest does not change;
 *   UDP_ENCAP, IP_MSFILTER, IPV6_PKTINFO as an option, IPV6_2292*: superseded, or larger than what uses them.
 */
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/time.h>

#include "call/policy_sock.h"
#include "call/sock.h"
#include "call/server_impl.h"

#define GET 1u
#define SET 2u
#define BOTH 3u
#define VALUE_MAX 1024u

static const struct option_rule {
	u16 level, name;
	u16 size; /* largest value */
	u16 dir;
} rules[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 4, BOTH },
	{ SOL_SOCKET, SO_REUSEPORT, 4, BOTH },
	{ SOL_SOCKET, SO_PEERCRED, sizeof(struct ucred), GET }, /* without the process */
	{ SOL_SOCKET, SO_TYPE, 4, GET },
	{ SOL_SOCKET, SO_ERROR, 4, GET },
	{ SOL_SOCKET, SO_DOMAIN, 4, GET },
	{ SOL_SOCKET, SO_PROTOCOL, 4, GET },
	{ SOL_SOCKET, SO_ACCEPTCONN, 4, GET },
	{ SOL_SOCKET, SO_COOKIE, 8, GET },
	{ SOL_SOCKET, SO_INCOMING_CPU, 4, BOTH },
	{ SOL_SOCKET, SO_SNDLOWAT, 4, GET },
	{ SOL_SOCKET, SO_NETNS_COOKIE, 8, GET },
	{ SOL_SOCKET, SO_PEEK_OFF, 4, BOTH },
	{ SOL_SOCKET, SO_INCOMING_NAPI_ID, 4, GET },
	{ SOL_SOCKET, SO_MEMINFO, 64, GET },
	{ SOL_SOCKET, SO_DONTROUTE, 4, BOTH },
	{ SOL_SOCKET, SO_BROADCAST, 4, BOTH },
	{ SOL_SOCKET, SO_SNDBUF, 4, BOTH },
	{ SOL_SOCKET, SO_RCVBUF, 4, BOTH },
	{ SOL_SOCKET, SO_SNDBUFFORCE, 4, BOTH }, /* the host asks for CAP_NET_ADMIN, which the hypervisor never has: EPERM */
	{ SOL_SOCKET, SO_RCVBUFFORCE, 4, BOTH },
	{ SOL_SOCKET, SO_KEEPALIVE, 4, BOTH },
	{ SOL_SOCKET, SO_OOBINLINE, 4, BOTH },
	{ SOL_SOCKET, SO_NO_CHECK, 4, BOTH },
	{ SOL_SOCKET, SO_PRIORITY, 4, BOTH },
	{ SOL_SOCKET, SO_LINGER, 8, BOTH },
	{ SOL_SOCKET, SO_RCVLOWAT, 4, BOTH },
	{ SOL_SOCKET, SO_RCVTIMEO_OLD, sizeof(struct timeval), BOTH },
	{ SOL_SOCKET, SO_SNDTIMEO_OLD, sizeof(struct timeval), BOTH },
	{ SOL_SOCKET, SO_TIMESTAMP_OLD, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMPNS_OLD, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMPING_OLD, 8, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMP_NEW, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMPNS_NEW, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMPING_NEW, 8, BOTH },
	{ SOL_SOCKET, SO_BINDTODEVICE, 16, BOTH },
	{ SOL_SOCKET, SO_BINDTOIFINDEX, 4, BOTH },
	{ SOL_SOCKET, SO_MARK, 4, BOTH }, /* the host asks for CAP_NET_RAW or CAP_NET_ADMIN */
	{ SOL_SOCKET, SO_RXQ_OVFL, 4, BOTH },
	{ SOL_SOCKET, SO_BUSY_POLL, 4, BOTH },
	{ SOL_SOCKET, SO_PREFER_BUSY_POLL, 4, BOTH },
	{ SOL_SOCKET, SO_TXREHASH, 4, BOTH },
	{ SOL_SOCKET, SO_RESERVE_MEM, 4, BOTH },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 8, BOTH },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, 4, BOTH },

	{ IPPROTO_IP, IP_TOS, 4, BOTH },
	{ IPPROTO_IP, IP_TTL, 4, BOTH },
	{ IPPROTO_IP, IP_HDRINCL, 4, BOTH },
	{ IPPROTO_IP, IP_OPTIONS, 40, BOTH },
	{ IPPROTO_IP, IP_RECVOPTS, 4, BOTH },
	{ IPPROTO_IP, IP_RETOPTS, 4, BOTH },
	{ IPPROTO_IP, IP_RECVFRAGSIZE, 4, BOTH },
	{ IPPROTO_IP, IP_CHECKSUM, 4, BOTH },
	{ IPPROTO_IP, IP_NODEFRAG, 4, BOTH },
	{ IPPROTO_IP, IP_ROUTER_ALERT, 4, BOTH },
	{ IPPROTO_IP, IP_RECVERR_RFC4884, 4, BOTH },
	{ IPPROTO_IP, IP_PKTINFO, 4, BOTH },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 4, BOTH },
	{ IPPROTO_IP, IP_MTU, 4, GET },
	{ IPPROTO_IP, IP_RECVERR, 4, BOTH },
	{ IPPROTO_IP, IP_RECVTTL, 4, BOTH },
	{ IPPROTO_IP, IP_RECVTOS, 4, BOTH },
	{ IPPROTO_IP, IP_FREEBIND, 4, BOTH },
	{ IPPROTO_IP, IP_TRANSPARENT, 4, BOTH },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 4, BOTH },
	{ IPPROTO_IP, IP_MINTTL, 4, BOTH },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 4, BOTH },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_IF, sizeof(struct ip_mreqn), BOTH },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_ALL, 4, BOTH },
	{ IPPROTO_IP, IP_UNICAST_IF, 4, BOTH },
	{ IPPROTO_IP, IP_ADD_MEMBERSHIP, sizeof(struct ip_mreqn), SET },
	{ IPPROTO_IP, IP_DROP_MEMBERSHIP, sizeof(struct ip_mreqn), SET },
	{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, IP_BLOCK_SOURCE, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, IP_UNBLOCK_SOURCE, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, MCAST_JOIN_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IP, MCAST_LEAVE_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, sizeof(struct group_source_req), SET },
	{ IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, sizeof(struct group_source_req), SET },

	{ IPPROTO_IPV6, IPV6_V6ONLY, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_ADDRFORM, 4, SET },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, MCAST_JOIN_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IPV6, MCAST_LEAVE_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, sizeof(struct group_source_req), SET },
	{ IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, sizeof(struct group_source_req), SET },
	{ IPPROTO_IPV6, IPV6_MTU, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVERR, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVRTHDR, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVHOPOPTS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVDSTOPTS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_FLOWINFO, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_JOIN_ANYCAST, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, IPV6_LEAVE_ANYCAST, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, IPV6_ROUTER_ALERT, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_HDRINCL, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_TCLASS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVPATHMTU, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_FREEBIND, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_TRANSPARENT, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_CHECKSUM, 4, BOTH },

	{ IPPROTO_TCP, TCP_NODELAY, 4, BOTH },
	{ IPPROTO_TCP, TCP_MAXSEG, 4, BOTH },
	{ IPPROTO_TCP, TCP_CORK, 4, BOTH },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 4, BOTH },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 4, BOTH },
	{ IPPROTO_TCP, TCP_KEEPCNT, 4, BOTH },
	{ IPPROTO_TCP, TCP_SYNCNT, 4, BOTH },
	{ IPPROTO_TCP, TCP_LINGER2, 4, BOTH },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 4, BOTH },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 4, BOTH },
	{ IPPROTO_TCP, TCP_INFO, 512, GET },
	{ IPPROTO_TCP, TCP_QUICKACK, 4, BOTH },
	{ IPPROTO_TCP, TCP_CONGESTION, 16, BOTH },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 4, BOTH },
	{ IPPROTO_TCP, TCP_FASTOPEN, 4, BOTH },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 4, BOTH },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 4, BOTH },
	{ IPPROTO_TCP, TCP_FASTOPEN_KEY, 32, BOTH },
	{ IPPROTO_TCP, TCP_CC_INFO, 64, GET },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4, BOTH },
	{ IPPROTO_TCP, TCP_SAVE_SYN, 4, BOTH },
	{ IPPROTO_TCP, TCP_SAVED_SYN, 512, GET },
	{ IPPROTO_TCP, TCP_INQ, 4, BOTH },
	{ IPPROTO_TCP, TCP_TX_DELAY, 4, BOTH },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 4, BOTH },

	{ IPPROTO_UDP, UDP_CORK, 4, BOTH },
	{ IPPROTO_UDP, UDP_SEGMENT, 4, BOTH },
	{ IPPROTO_UDP, UDP_GRO, 4, BOTH },
	{ IPPROTO_UDP, UDP_NO_CHECK6_TX, 4, BOTH },
	{ IPPROTO_UDP, UDP_NO_CHECK6_RX, 4, BOTH },

	{ SOL_RAW, ICMP_FILTER, 4, BOTH },
	{ SOL_RAW, IPV6_CHECKSUM, 4, BOTH },
	{ IPPROTO_ICMPV6, 1 /* ICMPV6_FILTER */, 32, BOTH },

	{ SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 4, SET },
	{ SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, 4, SET },
	{ SOL_NETLINK, NETLINK_PKTINFO, 4, BOTH },
	{ SOL_NETLINK, NETLINK_BROADCAST_ERROR, 4, BOTH },
	{ SOL_NETLINK, NETLINK_NO_ENOBUFS, 4, BOTH },
	{ SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 64, GET },
	{ SOL_NETLINK, NETLINK_CAP_ACK, 4, BOTH },
	{ SOL_NETLINK, NETLINK_EXT_ACK, 4, BOTH },
	{ SOL_NETLINK, NETLINK_GET_STRICT_CHK, 4, BOTH },
};

static const struct option_rule *find(u32 level, u32 name, u32 dir)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].level == level && rules[i].name == name && (rules[i].dir & dir))
			return &rules[i];
	}
	return NULL;
}

int sockopt_decode(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	bool set = c->req.cmd == PV_SETSOCKOPT;
	/* Options of a foreign socket (stdio) are looked at, not changed. */
	int ret = sock_decode(c, KINDS_SOCKET | (set ? 0 : KIND(STREAM)));

	if (ret < 0)
		return ret;
	if (!find(r->level, r->name, set ? SET : GET))
		return -ENOPROTOOPT;
	if (r->level == SOL_SOCKET && r->name == SO_PEERCRED && !c->h->unix_path)
		return -ENOPROTOOPT;
	return set ? policy_check_option(c, r->level, r->name) : 0;
}

int sockopt_get(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	const struct option_rule *rule = find(r->level, r->name, GET);
	u8 value[VALUE_MAX];
	socklen_t room, len;

	if (!rule)
		return -ENOPROTOOPT;
	room = len = r->len < rule->size ? r->len : rule->size;
	if (getsockopt(c->h->fd, (int)r->level, (int)r->name, value, &len) < 0)
		return -errno;
	if (r->level == SOL_SOCKET && r->name == SO_PEERCRED)
		memset(value, 0, sizeof(pid_t)); /* a number of the host's, or the beginning of it */
	/* Some options (NETLINK_LIST_MEMBERSHIPS) tell the length that they would need, not what was written. */
	if (len > room)
		len = room;
	memcpy(c->buf, value, len);
	return (int)len;
}

static void note_linger(struct pv_handle *h, const u8 *value, socklen_t len)
{
	struct linger l = { 0 };

	memcpy(&l, value, len < sizeof(l) ? len : sizeof(l));
	h->lingers = l.l_onoff && l.l_linger;
	h->reset = l.l_onoff && !l.l_linger;
}

int sockopt_set(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	const struct option_rule *rule = find(r->level, r->name, SET);
	u8 value[VALUE_MAX];
	socklen_t len;

	if (!rule)
		return -ENOPROTOOPT;
	len = r->len < rule->size ? r->len : rule->size;
	fetch(value, c->buf, len);
	if (setsockopt(c->h->fd, (int)r->level, (int)r->name, value, len) < 0)
		return -errno;
	if (r->level == SOL_SOCKET && r->name == SO_LINGER)
		note_linger(c->h, value, len);
	return 0;
}
