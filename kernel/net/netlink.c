/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_ROUTE and NETLINK_SOCK_DIAG: questions about interfaces, addresses, routes and sockets, which
 * the hypervisor asks the host. Such a socket is never donated. The answers to a request are there when it has been
 * sent; only who waits for changes (and there are few such) is served by looking again now and
 * then.
 */
#include <linux/netlink.h>
#include <linux/time.h>

#include "host_sock.h"
#include "task.h"

#define LOOK_AGAIN (20 * NSEC_PER_MSEC)

/*
 * The hypervisor lets questions pass only. What it refuses is answered here as the kernel answers who may not
 * do something: iproute2 asks in this way what there is.
 */
struct netlink_refusal {
	struct nlmsghdr head;
	s32 error;
	struct nlmsghdr request;
};

static const struct sock_ops netlink_ops;

struct socket *netlink_socket(int type, int protocol)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG)
		return ERR_PTR(-EPROTONOSUPPORT);
	return host_sock_new(&netlink_ops, AF_NETLINK, type, protocol);
}

/* The host gives the port number; one that the caller would like better means nothing here. */
static int netlink_bind(struct socket *s, const void *addr, u32 len)
{
	struct sockaddr_nl nl;

	if (len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	nl.nl_pid = 0;
	return host_bind(s, &nl, sizeof(nl));
}

static int netlink_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	return host_pv_connect(s, addr, len);
}

/* In place of the one that was there. */
static void set_refusal(struct socket *s, struct netlink_refusal *r)
{
	kfree(__atomic_exchange_n(&host_of(s)->refused, r, __ATOMIC_ACQ_REL));
}

static s64 refuse(struct socket *s, struct uio *u, s64 error)
{
	union {
		struct sockaddr_nl nl;
		u8 room[SOCK_ADDR_MAX];
	} self;
	struct netlink_refusal *r = kzalloc(sizeof(*r));
	s64 len = (s64)u->resid;

	if (!r)
		return -ENOBUFS;
	if (len < (s64)sizeof(r->request) || uio_get(u, &r->request, sizeof(r->request)) != sizeof(r->request) ||
	    host_getname(s, &self, false) < (int)sizeof(self.nl)) {
		kfree(r);
		return error;
	}
	r->head = (struct nlmsghdr){ .nlmsg_len = sizeof(*r), .nlmsg_type = NLMSG_ERROR,
				     .nlmsg_flags = NLM_F_CAPPED, .nlmsg_seq = r->request.nlmsg_seq,
				     .nlmsg_pid = self.nl.nl_pid };
	r->error = (s32)error;
	set_refusal(s, r);
	return len;
}

static s64 netlink_sendmsg(struct socket *s, struct msg *m)
{
	struct uio request = m->u;
	s64 ret;

	m->ctl_len = 0; /* SCM_CREDENTIALS at most: the kernel knows who asks */
	ret = host_sendto(s, m);
	return ret == -EPERM || ret == -ENOENT ? refuse(s, &request, ret) : ret;
}

/* False: there is none. */
static bool take_refusal(struct socket *s, struct msg *m, s64 *ret)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct netlink_refusal *r =
		__atomic_exchange_n(&host_of(s)->refused, NULL, __ATOMIC_ACQ_REL);
	s64 n;

	if (!r)
		return false;
	n = min(sizeof(*r), m->u.resid);
	*ret = n && uio_put(&m->u, r, n) != n ? -EFAULT : n;
	memcpy(m->addr, &from, sizeof(from));
	m->addr_len = sizeof(from);
	if (n < (s64)sizeof(*r))
		m->out_flags |= MSG_TRUNC;
	if (*ret >= 0 && (m->flags & MSG_TRUNC))
		*ret = sizeof(*r);
	if (m->flags & MSG_PEEK)
		set_refusal(s, r);
	else
		kfree(r);
	return true;
}

static s64 netlink_recvmsg(struct socket *s, struct msg *m)
{
	u64 deadline = sock_deadline(s->rcvtimeo);
	s64 n;

	if (take_refusal(s, m, &n))
		return n;
	for (;;) {
		u64 now;

		n = host_recvfrom(s, m);
		if (n != -EAGAIN || m->u.nowait)
			return n;
		now = mc_clock(CLOCK_MONOTONIC);
		if (now >= deadline)
			return -EAGAIN;
		if (task_work_pending() || mc_park(min(now + LOOK_AGAIN, deadline)) == -EINTR)
			return sock_interrupted(s->rcvtimeo);
	}
}

static u32 netlink_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_POLL;
	slot.req.u.poll = (struct pv_req_xen_poll){ .id = s->handle };
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	if (READ_ONCE(host_of(s)->refused))
		return POLLIN | POLLOUT;
	return ret < 0 ? POLLERR : (u32)ret;
}

static void netlink_release(struct socket *s)
{
	set_refusal(s, NULL);
	host_release(s);
}

static const struct sock_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = host_getname,
	.getsockopt = host_getsockopt,
	.setsockopt = host_setsockopt,
	.sendmsg = netlink_sendmsg,
	.recvmsg = netlink_recvmsg,
	.poll = netlink_poll,
	.ioctl = host_ioctl,
	.release = netlink_release,
};
