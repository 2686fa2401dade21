/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_ROUTE: questions about interfaces, addresses and routes, which the hypervisor asks
 * the host. Such a socket is never donated. The answers to a request are there when it has been
 * sent; only who waits for changes (and there are few such) is served by looking again now and
 * then.
 */
#include <linux/netlink.h>
#include <linux/time.h>

#include "host_sock.h"
#include "task.h"

#define LOOK_AGAIN (20 * NSEC_PER_MSEC)

static const struct sock_ops netlink_ops;

struct socket *netlink_socket(int type, int protocol)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE)
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

static s64 netlink_sendmsg(struct socket *s, struct msg *m)
{
	m->ctl_len = 0; /* SCM_CREDENTIALS at most: the kernel knows who asks */
	return host_sendto(s, m);
}

static s64 netlink_recvmsg(struct socket *s, struct msg *m)
{
	u64 deadline = sock_deadline(s->rcvtimeo);

	for (;;) {
		s64 n = host_recvfrom(s, m);
		u64 now;

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
	return ret < 0 ? POLLERR : (u32)ret;
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
	.release = host_release,
};
