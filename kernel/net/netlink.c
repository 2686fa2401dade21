/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_ROUTE and NETLINK_SOCK_DIAG: questions about interfaces, addresses, routes and sockets, which
 * the hypervisor asks the host. Such a socket is never donated. The answers to a request are there when it has been
 * sent; who waits for changes does so at a watch (PV_WATCH) that the hypervisor has put the socket into.
 *
 * Unix sockets are the guest's: questions about them are answered here (unix_diag.c).
 */
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "epoll.h"
#include "host_sock.h"
#include "hostfs.h"
#include "netlink.h"
#include "task.h"

/* Answers of ours, before those of the host. */
struct netlink {
	struct mutex lock;
	struct list_head answers;
	u32 watch; /* handle of the watch; 0: nobody has had to wait yet */
};

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

static struct netlink *netlink_of(struct socket *s)
{
	return host_of(s)->netlink;
}

static struct socket *with_state(struct socket *s)
{
	struct netlink *nl = IS_ERR(s) ? NULL : kzalloc(sizeof(*nl));

	if (IS_ERR(s))
		return s;
	if (!nl) {
		host_release(s);
		return ERR_PTR(-ENOMEM);
	}
	list_init(&nl->answers);
	host_of(s)->netlink = nl;
	return s;
}

struct socket *netlink_socket(int type, int protocol)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG)
		return ERR_PTR(-EPROTONOSUPPORT);
	return with_state(host_sock_new(&netlink_ops, AF_NETLINK, type, protocol));
}

/* From now on whoever waits for the socket, in whatever way, sleeps at its watch. */
static int watch_socket(struct socket *s)
{
	struct netlink *nl = netlink_of(s);
	struct pv_slot slot;
	s64 ret;
	u32 handle;

	if (READ_ONCE(nl->watch))
		return 0;
	handle = host_handle_get();
	if (!handle)
		return -ENFILE;
	mc_pv_get(&slot);
	slot.req.cmd = PV_WATCH;
	slot.req.u.handle = (struct pv_req_handle){ .id = handle, .id2 = s->handle };
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	if (ret < 0) {
		host_handle_unused(handle);
		return (int)ret;
	}
	{
		guard(&nl->lock);
		if (nl->watch) { /* another thread was first */
			mc_handle_release(handle);
			return 0;
		}
		s->file->handle = handle;
		WRITE_ONCE(nl->watch, handle);
	}
	return epoll_host_begins(s->file, FMODE_WATCH);
}

/* The host gives the port number; one that the caller would like better means nothing here. */
static int netlink_bind(struct socket *s, const void *addr, u32 len)
{
	struct sockaddr_nl nl;
	int err;

	if (len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	nl.nl_pid = 0;
	err = host_bind(s, &nl, sizeof(nl));
	return !err && nl.nl_groups ? watch_socket(s) : err;
}

static int netlink_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	return host_pv_connect(s, addr, len);
}

/* ---- answers of ours ---- */

/* One datagram. */
struct netlink_answer {
	struct list_head node;
	u32 len;
	u8 data[];
};

int netlink_answer(struct list_head *to, const void *data, u32 len)
{
	struct netlink_answer *a = kmalloc(sizeof(*a) + len);

	if (!a)
		return -ENOBUFS;
	a->len = len;
	memcpy(a->data, data, len);
	list_add_tail(&a->node, to);
	return 0;
}

static void drop_answers(struct list_head *all)
{
	while (!list_empty(all)) {
		struct netlink_answer *a = list_entry(all->next, struct netlink_answer, node);

		list_del(&a->node);
		kfree(a);
	}
}

/* The socket's port, which is the host's to give; 0: it has none yet. */
static u32 port_of(struct socket *s)
{
	union {
		struct sockaddr_nl nl;
		u8 room[SOCK_ADDR_MAX];
	} self;

	return host_getname(s, &self, false) < (int)sizeof(self.nl) ? 0 : self.nl.nl_pid;
}

static int answer_error(struct list_head *to, const struct nlmsghdr *request, u32 port, s64 error)
{
	struct netlink_refusal r = { .error = (s32)error, .request = *request };

	r.head = (struct nlmsghdr){ .nlmsg_len = sizeof(r), .nlmsg_type = NLMSG_ERROR, .nlmsg_flags = NLM_F_CAPPED,
				    .nlmsg_seq = request->nlmsg_seq, .nlmsg_pid = port };
	return netlink_answer(to, &r, sizeof(r));
}

/* The answers to a request of `len` bytes: they are there from now on. */
static s64 answered(struct socket *s, struct list_head *answers, int err, s64 len)
{
	struct netlink *nl = netlink_of(s);

	if (err) {
		drop_answers(answers);
		return err;
	}
	guard(&nl->lock);
	list_splice_tail(answers, &nl->answers);
	return len;
}

static s64 refuse(struct socket *s, struct uio *u, s64 error)
{
	struct list_head answers = LIST_HEAD_INIT(answers);
	s64 len = (s64)u->resid;
	struct nlmsghdr request;

	if (len < (s64)sizeof(request) || uio_get(u, &request, sizeof(request)) != sizeof(request))
		return error;
	return answered(s, &answers, answer_error(&answers, &request, port_of(s), error), len);
}

/* The number that another network namespace has in this one: none. What is asked for is a descriptor or process of the guest's. */
static s64 answer_nsid(struct socket *s, struct uio *u)
{
	struct list_head answers = LIST_HEAD_INIT(answers);
	s64 len = (s64)u->resid;
	struct nlmsghdr request;
	struct netlink_nsid a;

	if (len < (s64)sizeof(request) || uio_get(u, &request, sizeof(request)) != sizeof(request))
		return -EINVAL;
	a = netlink_nsid(&request, port_of(s));
	return answered(s, &answers, netlink_answer(&answers, &a, sizeof(a)), len);
}

/* A question about unix sockets: all of `all` is taken, and answered. */
static s64 ask_unix(struct socket *s, const struct nlmsghdr *request, struct uio *all)
{
	struct list_head answers = LIST_HEAD_INIT(answers);
	struct unix_diag_request r = { .head = *request, .port = port_of(s) };
	s64 len = (s64)all->resid;
	int err;

	if (len < (s64)sizeof(r.q) || uio_get(all, &r.q, sizeof(r.q)) != sizeof(r.q))
		return -EINVAL;
	err = unix_diag(&r, &answers);
	if (err == -ENOENT)
		err = answer_error(&answers, request, r.port, err);
	return answered(s, &answers, err, len);
}

/* Is it about unix sockets? *head is the request's. */
static bool asks_unix(struct socket *s, const struct msg *m, struct nlmsghdr *head)
{
	struct {
		struct nlmsghdr head;
		u8 family;
	} start;
	struct uio u = m->u;

	if (s->protocol != NETLINK_SOCK_DIAG || m->u.resid < sizeof(start) ||
	    uio_get(&u, &start, sizeof(start)) != sizeof(start))
		return false;
	*head = start.head;
	return start.head.nlmsg_type == SOCK_DIAG_BY_FAMILY && start.family == AF_UNIX;
}

static s64 netlink_sendmsg(struct socket *s, struct msg *m)
{
	struct uio request = m->u;
	struct nlmsghdr head;
	s64 ret;

	if (asks_unix(s, m, &head))
		return ask_unix(s, &head, &m->u);
	m->ctl_len = 0; /* SCM_CREDENTIALS at most: the kernel knows who asks */
	ret = host_sendto(s, m);
	if (ret == -EOPNOTSUPP)
		return answer_nsid(s, &request);
	return ret == -EPERM || ret == -ENOENT ? refuse(s, &request, ret) : ret;
}

/* False: there is none. */
static bool take_answer(struct socket *s, struct msg *m, s64 *ret)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct netlink *nl = netlink_of(s);
	struct netlink_answer *a;
	s64 n;

	guard(&nl->lock);
	if (list_empty(&nl->answers))
		return false;
	a = list_entry(nl->answers.next, struct netlink_answer, node);
	n = min((size_t)a->len, m->u.resid);
	*ret = n && uio_put(&m->u, a->data, n) != n ? -EFAULT : n;
	memcpy(m->addr, &from, sizeof(from));
	m->addr_len = sizeof(from);
	if (n < (s64)a->len)
		m->out_flags |= MSG_TRUNC;
	if (*ret >= 0 && (m->flags & MSG_TRUNC))
		*ret = a->len;
	if (!(m->flags & MSG_PEEK)) {
		list_del(&a->node);
		kfree(a);
	}
	return true;
}

static s64 netlink_recvmsg(struct socket *s, struct msg *m)
{
	u64 deadline = sock_deadline(s->rcvtimeo);
	s64 n;

	if (take_answer(s, m, &n))
		return n;
	for (;;) {
		struct socket watch = { 0 };

		n = host_recvfrom(s, m);
		if (n != -EAGAIN || m->u.nowait)
			return n;
		n = watch_socket(s);
		watch.handle = netlink_of(s)->watch;
		if (!n)
			n = inet_wait(&watch, POLLIN, deadline, s->rcvtimeo, NULL);
		if (n)
			return n;
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
	if (!list_empty(&netlink_of(s)->answers))
		return POLLIN | POLLOUT;
	return ret < 0 ? POLLERR : (u32)ret;
}

static int netlink_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	int err = host_setsockopt(s, level, name, val, len);

	return !err && level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP ? watch_socket(s) : err;
}

static void netlink_release(struct socket *s)
{
	struct netlink *nl = netlink_of(s);

	drop_answers(&nl->answers);
	if (nl->watch)
		mc_handle_release(nl->watch);
	kfree(nl);
	host_release(s);
}

static const struct sock_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = host_getname,
	.getsockopt = host_getsockopt,
	.setsockopt = netlink_setsockopt,
	.sendmsg = netlink_sendmsg,
	.recvmsg = netlink_recvmsg,
	.poll = netlink_poll,
	.ioctl = host_ioctl,
	.release = netlink_release,
};
