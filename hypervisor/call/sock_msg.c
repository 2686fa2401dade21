/* SPDX-License-Identifier: Apache-2.0 */
/* PV_SENDTO and PV_RECVFROM: datagrams with addresses, control data, and all that is not donated. */
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "call/policy_sock.h"
#include "call/sock.h"
#include "call/server_impl.h"

#define SEND_FLAGS (MSG_OOB | MSG_DONTROUTE | MSG_CONFIRM | MSG_MORE | MSG_EOR | MSG_FASTOPEN)
#define RECV_FLAGS (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)
#define CTL_MAX 4096u
#define NETLINK_MAX 8192u

/* Descriptors of the host come and go with the control data of unix sockets: these have none. */
static int message_decode(struct call *c)
{
	int ret = sock_decode(c, KINDS_SOCKET);

	return !ret && c->h->unix_path && c->req.u.sock.ctl_len ? -EOPNOTSUPP : ret;
}

int sendto_decode(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	int ret = message_decode(c);

	if (ret < 0)
		return ret;
	if (r->addr_len > SOCKADDR_MAX)
		return violation(c, "addr_len", "address too long");
	if (r->ctl_len > CTL_MAX)
		return -ENOBUFS;
	return 0;
}

/* None of these names a destination: a policy relies on it. */
static bool control_allowed(const struct cmsghdr *m)
{
	switch (m->cmsg_level) {
	case IPPROTO_IP:
		return m->cmsg_type == IP_PKTINFO || m->cmsg_type == IP_TTL ||
		       m->cmsg_type == IP_TOS;
	case IPPROTO_IPV6:
		return m->cmsg_type == IPV6_PKTINFO || m->cmsg_type == IPV6_HOPLIMIT ||
		       m->cmsg_type == IPV6_TCLASS;
	case IPPROTO_UDP:
		return m->cmsg_type == UDP_SEGMENT;
	default:
		return false;
	}
}

static int control_check(struct msghdr *msg)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		if (m->cmsg_len < sizeof(*m) ||
		    m->cmsg_len >
			    msg->msg_controllen - (size_t)((u8 *)m - (u8 *)msg->msg_control) ||
		    !control_allowed(m))
			return -EINVAL;
	}
	return 0;
}

/* A netlink message is what it says: it is checked and sent from private memory. */
static int send_netlink(struct call *c, struct msghdr *msg)
{
	u8 data[NETLINK_MAX]; /* not of the thread: it would be part of each one's memory, and be cleared when one is made */
	int ret, protocol;
	socklen_t len = sizeof(protocol);

	if (msg->msg_iov->iov_len > sizeof(data))
		return -EMSGSIZE;
	fetch(data, msg->msg_iov->iov_base, msg->msg_iov->iov_len);
	if (getsockopt(c->h->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0)
		return -errno;
	ret = netlink_check(protocol, data, msg->msg_iov->iov_len);
	if (ret < 0)
		return ret;
	msg->msg_iov->iov_base = data;
	ret = (int)sendmsg(c->h->fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return ret < 0 ? -errno : ret;
}

int sendto_perform(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	u8 addr[SOCKADDR_MAX] __attribute__((aligned(8)));
	u8 control[CTL_MAX] __attribute__((aligned(8)));
	struct iovec iov = { c->buf + r->addr_len + r->ctl_len, r->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int ret = 0;

	fetch(addr, c->buf, r->addr_len);
	fetch(control, c->buf + r->addr_len, r->ctl_len);
	if (r->addr_len) {
		msg.msg_name = addr;
		msg.msg_namelen = r->addr_len;
		ret = sock_check_address(c, addr, r->addr_len);
		ret = ret < 0 ? ret : policy_check_destination(c, addr, r->addr_len, r->pid);
	}
	if (r->ctl_len) {
		msg.msg_control = control;
		msg.msg_controllen = r->ctl_len;
		ret = ret < 0 ? ret : control_check(&msg);
	}
	if (ret < 0)
		return ret;
	if (c->h->kind == HANDLE_NETLINK)
		return send_netlink(c, &msg);
	ret = (int)sendmsg(c->h->fd, &msg,
			   (int)(r->flags & SEND_FLAGS) | MSG_NOSIGNAL | MSG_DONTWAIT);
	ret = ret < 0 ? -errno : ret;
	if ((r->flags & MSG_FASTOPEN) && (ret >= 0 || ret == -EINPROGRESS))
		c->h->connected = true;
	return ret;
}

int recvfrom_decode(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	int ret = message_decode(c);

	if (ret < 0)
		return ret;
	if (r->ctl_len % 8)
		return violation(c, "ctl_len", "room for control data is not aligned");
	return decode_len(c, "len", (u64)PV_RECV_CTL_OFF + r->ctl_len + r->len);
}

int recvfrom_perform(struct call *c)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	int flags = (int)(r->flags & RECV_FLAGS) | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
	struct iovec iov = { c->buf + PV_RECV_CTL_OFF + r->ctl_len, r->len };
	struct sockaddr_storage addr;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_name = &addr,
			      .msg_namelen = sizeof(addr),
			      .msg_control = r->ctl_len ? c->buf + PV_RECV_CTL_OFF : NULL,
			      .msg_controllen = r->ctl_len };
	u8 *seen = NULL; /* what a policy looks at must not change any more */
	struct pv_recv out;
	ssize_t n;

	if (policy_sees_datagrams(c)) {
		seen = malloc(r->len + 1);
		if (!seen)
			return -ENOMEM;
		iov.iov_base = seen;
	}
	/* MSG_TRUNC on a stream would throw data away, on a datagram it asks for the full length. */
	n = recvmsg(c->h->fd, &msg, flags);
	if (n < 0) {
		n = -errno;
		free(seen);
		return (int)n;
	}
	out = (struct pv_recv){ .addr_len = msg.msg_namelen,
				.ctl_len = msg.msg_controllen,
				.data_len = (size_t)n < r->len ? (u32)n : r->len,
				.msg_flags = msg.msg_flags & ~MSG_CMSG_CLOEXEC,
				.full_len = (u32)n };
	if (out.addr_len > SOCKADDR_MAX)
		out.addr_len = SOCKADDR_MAX;
	if (seen) {
		/* What the error queue gives back is the guest's own. */
		if (!(flags & MSG_ERRQUEUE))
			policy_see_datagram(c, &addr, out.addr_len, seen, out.data_len);
		memcpy(c->buf + PV_RECV_CTL_OFF + r->ctl_len, seen, out.data_len);
		free(seen);
	}
	memcpy(c->buf, &out, sizeof(out));
	memcpy(c->buf + PV_RECV_ADDR_OFF, &addr, out.addr_len);
	return (int)out.data_len;
}
