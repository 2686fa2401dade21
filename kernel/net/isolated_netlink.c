/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink(7) in a network namespace of the guest's own: the loopback interface and its addresses can be asked for, and it can
 * be brought up and down.
 *
 * The container's own namespace has sockets of further protocols here: NETLINK_GENERIC (netlink_generic.c),
 * NETLINK_KOBJECT_UEVENT, where nothing ever happens: no device comes or goes, and NETLINK_CONNECTOR, which Linux
 * has in its first namespace only: in a container nobody answers.
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "isolated_netlink.h"
#include "netlink.h"
#include "task.h"
#include "user_ns.h"

#define REQUEST_MAX 8192u
#define QUEUE_MAX 64

static const struct sock_ops isolated_netlink_ops;

static struct nl_sock *nl_of(struct socket *s)
{
	return (struct nl_sock *)s;
}

struct socket *isolated_netlink(int type, int protocol)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_GENERIC && protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_CONNECTOR)
		return ERR_PTR(-EPROTONOSUPPORT);
	n = kzalloc(sizeof(*n));
	if (!n)
		return ERR_PTR(-ENOMEM);
	n->sk.ops = &isolated_netlink_ops;
	n->sk.domain = AF_NETLINK;
	n->sk.type = type;
	n->sk.protocol = protocol;
	n->net = net_ns_of(ns_get(&current_net_ns()->ns));
	list_init(&n->replies);
	waitq_init(&n->wait);
	return &n->sk;
}

/* ---- making replies; the lock is held ---- */

struct reply *reply_new(struct nl_sock *n, const struct nlmsghdr *to, u16 type, u16 flags)
{
	struct reply *r = n->nreplies < QUEUE_MAX ? kzalloc(sizeof(*r)) : NULL;
	struct nlmsghdr *h;

	if (!r)
		return NULL;
	h = (struct nlmsghdr *)r->data;
	*h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = to->nlmsg_seq,
				.nlmsg_pid = n->port };
	r->len = sizeof(*h);
	return r;
}

void reply_put(struct reply *r, const void *data, u32 len)
{
	memcpy(r->data + r->len, data, len);
	r->len += NLMSG_ALIGN(len);
}

void reply_put_attr(struct reply *r, u16 type, const void *data, u16 len)
{
	struct rtattr a = { .rta_len = (u16)RTA_LENGTH(len), .rta_type = type };

	reply_put(r, &a, sizeof(a));
	reply_put(r, data, len);
}

void reply_send(struct nl_sock *n, struct reply *r)
{
	((struct nlmsghdr *)r->data)->nlmsg_len = r->len;
	list_add_tail(&r->node, &n->replies);
	n->nreplies++;
	waitq_wake_all(&n->wait, POLLIN);
}

int tell_error(struct nl_sock *n, const struct nlmsghdr *to, int error)
{
	struct reply *r = reply_new(n, to, NLMSG_ERROR, NLM_F_CAPPED);
	struct nlmsgerr e = { .error = error, .msg = *to };

	if (!r)
		return -ENOBUFS;
	reply_put(r, &e, sizeof(e));
	reply_send(n, r);
	return 0;
}

int tell_done(struct nl_sock *n, const struct nlmsghdr *to)
{
	struct reply *r = reply_new(n, to, NLMSG_DONE, NLM_F_MULTI);
	int none = 0;

	if (!r)
		return -ENOBUFS;
	reply_put(r, &none, sizeof(none));
	reply_send(n, r);
	return 0;
}

static int tell_link(struct nl_sock *n, const struct nlmsghdr *to, u16 flags)
{
	bool up = n->net->lo_up;
	struct reply *r = reply_new(n, to, RTM_NEWLINK, flags);
	struct ifinfomsg i = { .ifi_type = ARPHRD_LOOPBACK, .ifi_index = LO_INDEX,
			       .ifi_flags = IFF_LOOPBACK | (up ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0) };
	u32 mtu = 65536, txqlen = 1000;
	u8 mac[6] = { 0 }, state = up ? 0 /* unknown */ : 2 /* down */;

	if (!r)
		return -ENOBUFS;
	reply_put(r, &i, sizeof(i));
	reply_put_attr(r, IFLA_IFNAME, "lo", 3);
	reply_put_attr(r, IFLA_TXQLEN, &txqlen, sizeof(txqlen));
	reply_put_attr(r, IFLA_OPERSTATE, &state, 1);
	reply_put_attr(r, IFLA_MTU, &mtu, sizeof(mtu));
	reply_put_attr(r, IFLA_QDISC, "noqueue", 8);
	reply_put_attr(r, IFLA_ADDRESS, mac, 6);
	reply_put_attr(r, IFLA_BROADCAST, mac, 6);
	reply_send(n, r);
	return 0;
}

static int tell_addr(struct nl_sock *n, const struct nlmsghdr *to, u8 family)
{
	struct reply *r = reply_new(n, to, RTM_NEWADDR, NLM_F_MULTI);
	struct ifaddrmsg i = { .ifa_family = family, .ifa_prefixlen = family == AF_INET ? 8 : 128,
			       .ifa_flags = IFA_F_PERMANENT, .ifa_scope = RT_SCOPE_HOST, .ifa_index = LO_INDEX };
	const u8 v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };

	if (!r)
		return -ENOBUFS;
	reply_put(r, &i, sizeof(i));
	if (family == AF_INET) {
		reply_put_attr(r, IFA_ADDRESS, v4, 4);
		reply_put_attr(r, IFA_LOCAL, v4, 4);
		reply_put_attr(r, IFA_LABEL, "lo", 3);
	} else {
		reply_put_attr(r, IFA_ADDRESS, v6, 16);
	}
	reply_send(n, r);
	return 0;
}

static int tell_nsid(struct nl_sock *n, const struct nlmsghdr *to)
{
	const struct netlink_nsid a = netlink_nsid(to, n->port);
	struct reply *r = reply_new(n, to, RTM_NEWNSID, 0);

	if (!r)
		return -ENOBUFS;
	memcpy(r->data, &a, sizeof(a));
	r->len = sizeof(a);
	reply_send(n, r);
	return 0;
}

/* ---- requests ---- */

static int dump_addrs(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	u8 family = len ? body[0] : AF_UNSPEC;
	int err = 0;

	if (n->net->lo_up && (family == AF_UNSPEC || family == AF_INET))
		err = tell_addr(n, h, AF_INET);
	if (!err && n->net->lo_up && (family == AF_UNSPEC || family == AF_INET6))
		err = tell_addr(n, h, AF_INET6);
	return err ? err : tell_done(n, h);
}

/* Which interface a link message means: there is but one. */
static bool means_lo(const struct ifinfomsg *i, const u8 *attrs, u32 len)
{
	if (i->ifi_index)
		return i->ifi_index == LO_INDEX;
	while (len >= sizeof(struct rtattr)) {
		struct rtattr a;

		memcpy(&a, attrs, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			return false;
		if (a.rta_type == IFLA_IFNAME)
			return a.rta_len == RTA_LENGTH(3) && !memcmp(attrs + sizeof(a), "lo", 3);
		attrs += min((u32)RTA_ALIGN(a.rta_len), len);
		len -= min((u32)RTA_ALIGN(a.rta_len), len);
	}
	return false;
}

static int get_link(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct ifinfomsg i = { 0 };

	if (h->nlmsg_flags & NLM_F_DUMP) {
		int err = tell_link(n, h, NLM_F_MULTI);

		return err ? err : tell_done(n, h);
	}
	if (len < sizeof(i))
		return tell_error(n, h, -EINVAL);
	memcpy(&i, body, sizeof(i));
	return means_lo(&i, body + sizeof(i), len - sizeof(i)) ? tell_link(n, h, 0) : tell_error(n, h, -ENODEV);
}

/* 0 or the error for the sender. */
static int set_link(struct nl_sock *n, const u8 *body, u32 len)
{
	struct ifinfomsg i;

	if (len < sizeof(i))
		return -EINVAL;
	memcpy(&i, body, sizeof(i));
	if (!means_lo(&i, body + sizeof(i), len - sizeof(i)))
		return i.ifi_index ? -ENODEV : -EOPNOTSUPP; /* no other can be made */
	if ((i.ifi_change & IFF_UP) || !i.ifi_change)
		WRITE_ONCE(n->net->lo_up, (i.ifi_flags & IFF_UP) != 0);
	return 0;
}

/* The loopback interface has its addresses as soon as it is up: one of them given to it is there already, or is soon. */
static int new_addr(const u8 *body, u32 len)
{
	struct ifaddrmsg i;

	if (len < sizeof(i))
		return -EINVAL;
	memcpy(&i, body, sizeof(i));
	if (i.ifa_index != LO_INDEX)
		return -ENODEV;
	return i.ifa_family == AF_INET || i.ifa_family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

static int change(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	if (!ns_capable(ns_owner(&n->net->ns), CAP_NET_ADMIN))
		return -EPERM;
	if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_SETLINK)
		return set_link(n, body, len);
	return h->nlmsg_type == RTM_NEWADDR ? new_addr(body, len) : -EOPNOTSUPP;
}

static int handle(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	int err;

	if (h->nlmsg_type == RTM_GETNSID && !(h->nlmsg_flags & NLM_F_DUMP))
		return tell_nsid(n, h);
	if (h->nlmsg_type < NLMSG_MIN_TYPE || !(h->nlmsg_flags & NLM_F_REQUEST))
		return 0;
	if (h->nlmsg_type == RTM_GETLINK)
		return get_link(n, h, body, len);
	if (h->nlmsg_type == RTM_GETADDR)
		return dump_addrs(n, h, body, len);
	/* The questions among rtnetlink's messages have type 2 of each four: nothing else is there. */
	if ((h->nlmsg_type & 3) == 2 && (h->nlmsg_flags & NLM_F_DUMP))
		return tell_done(n, h);
	err = change(n, h, body, len);
	return err || (h->nlmsg_flags & NLM_F_ACK) ? tell_error(n, h, err) : 0;
}

/* ---- sending ---- */

static s64 nl_sendmsg(struct socket *s, struct msg *m)
{
	struct nl_sock *n = nl_of(s);
	u32 len = (u32)min(m->u.resid, (size_t)REQUEST_MAX), at = 0;
	u8 *data __kfree = kmalloc(REQUEST_MAX);
	int err = 0;

	if (!data)
		return -ENOMEM;
	if (s->protocol == NETLINK_KOBJECT_UEVENT || s->protocol == NETLINK_CONNECTOR) /* nobody listens */
		return -ECONNREFUSED;
	if (m->u.resid > REQUEST_MAX)
		return -EMSGSIZE;
	if (uio_get(&m->u, data, len) != (s64)len)
		return -EFAULT;
	guard(&n->lock);
	if (!n->port)
		n->port = (u32)current->proc->vpid;
	while (!err && len - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, data + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - at)
			break;
		err = (s->protocol == NETLINK_GENERIC ? netlink_generic : handle)(n, &h, data + at + sizeof(h),
										h.nlmsg_len - (u32)sizeof(h));
		at += min((u32)NLMSG_ALIGN(h.nlmsg_len), len - at);
	}
	return err ? err : (s64)len;
}

/* ---- receiving ---- */

static s64 deliver(struct msg *m, const struct reply *r)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	size_t len = min((size_t)r->len, m->u.resid);
	s64 done = len ? uio_put(&m->u, r->data, len) : 0;

	if (done < 0)
		return done;
	memcpy(m->addr, &from, sizeof(from));
	m->addr_len = sizeof(from);
	if (len < r->len)
		m->out_flags |= MSG_TRUNC;
	return m->flags & MSG_TRUNC ? r->len : done;
}

/* -EAGAIN: nothing is there. */
static s64 take(struct nl_sock *n, struct msg *m)
{
	struct reply *r;
	s64 ret;

	guard(&n->lock);
	if (list_empty(&n->replies))
		return -EAGAIN;
	r = list_entry(n->replies.next, struct reply, node);
	ret = deliver(m, r);
	if (!(m->flags & MSG_PEEK)) {
		list_del(&r->node);
		n->nreplies--;
		kfree(r);
	}
	return ret;
}

static s64 nl_recvmsg(struct socket *s, struct msg *m)
{
	struct nl_sock *n = nl_of(s);
	u64 deadline = sock_deadline(s->rcvtimeo);

	for (;;) {
		s64 ret = take(n, m);
		long err;

		if (ret != -EAGAIN || m->u.nowait)
			return ret;
		err = wait_event(&n->wait, READ_ONCE(n->nreplies), deadline);
		if (err)
			return err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(s->rcvtimeo);
	}
}

static u32 nl_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct nl_sock *n = nl_of(s);

	poll_wait(pt, f, &n->wait);
	return POLLOUT | POLLWRNORM | (READ_ONCE(n->nreplies) ? POLLIN | POLLRDNORM : 0);
}

/* ---- the rest ---- */

static int nl_bind(struct socket *s, const void *addr, u32 len)
{
	struct sockaddr_nl nl;

	if (len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	/* Linux gives the first socket of a process its pid; nothing here is found by it. */
	nl_of(s)->port = nl.nl_pid ? nl.nl_pid : (u32)current->proc->vpid;
	return 0;
}

static int nl_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	return 0; /* to the kernel: there is nobody else */
}

static int nl_getname(struct socket *s, void *addr, bool peer)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = peer ? 0 : nl_of(s)->port };

	memcpy(addr, &nl, sizeof(nl));
	return sizeof(nl);
}

static int nl_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	return 0; /* buffer sizes, and what answers carry besides */
}

static int nl_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	int value = level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF) ? 212992 : 0;

	memcpy(val, &value, min(room, (u32)sizeof(value)));
	return (int)min(room, (u32)sizeof(value));
}

static s64 nl_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	return isolated_ioctl(nl_of(s)->net, cmd, arg);
}

static void nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);
	struct reply *r, *next;

	list_for_each_safe(r, next, &n->replies, node)
		kfree(r);
	ns_put(&n->net->ns);
	kfree(n);
}

static const struct sock_ops isolated_netlink_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.getname = nl_getname,
	.getsockopt = nl_getsockopt,
	.setsockopt = nl_setsockopt,
	.sendmsg = nl_sendmsg,
	.recvmsg = nl_recvmsg,
	.poll = nl_poll,
	.ioctl = nl_ioctl,
	.release = nl_release,
};
