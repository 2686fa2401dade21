/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP, UDP and raw sockets: the hypervisor opens, names and connects them in the container's
 * network; its donated descriptor carries the data (inet_msg.c).
 */
#include <linux/in.h>

#include "cred.h"
#include "exec_id.h"
#include "host_sock.h"
#include "hostfs.h"
#include "stream.h"
#include "task.h"

static const struct sock_ops inet_ops;

struct socket *inet_socket(int domain, int type, int protocol)
{
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (type == SOCK_RAW && !capable(CAP_NET_RAW))
		return ERR_PTR(-EPERM);
	if (!protocol && type != SOCK_RAW) /* SO_PROTOCOL tells */
		protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	if (type == SOCK_STREAM && mc_data_rings())
		return stream_socket(domain, protocol);
	return host_sock_new(&inet_ops, domain, type, protocol);
}

/*
 * The host's socket does not block: wait for the end of the handshake. A restarted connect()
 * goes on waiting.
 */
static int wait_connected(struct socket *s, const void *addr, u32 len)
{
	u64 deadline = sock_deadline(s->sndtimeo);
	u32 got = 0;
	long err;

	do {
		err = inet_wait(s, POLLOUT, deadline, s->sndtimeo, &got);
	} while (!err && !got);
	if (err)
		return err == -EAGAIN ? -EINPROGRESS : err;
	if (got & (POLLERR | POLLHUP))
		return host_pv_connect(s, addr, len); /* asked again, it tells what went wrong */
	return 0;
}

static int inet_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	struct host_sock *h = host_of(s);
	const struct sockaddr *sa = addr;
	int ret;

	if (h->connected && sa->sa_family != AF_UNSPEC)
		return -EISCONN;
	ret = host_pv_connect(s, addr, len);
	if ((ret == -EINPROGRESS || ret == -EALREADY) && !nowait)
		ret = wait_connected(s, addr, len);
	if (!ret)
		h->connected = s->type == SOCK_STREAM && sa->sa_family != AF_UNSPEC;
	return ret;
}

/*
 * connect() with the first data of the connection. What the host cannot send along, as it has no cookie of
 * the server, is sent after the handshake: then this returns 0 with all of m left.
 */
s64 inet_fast_open(struct socket *s, struct msg *m)
{
	struct host_sock *h = host_of(s);
	s64 n;

	if (!m->addr_len)
		return -EDESTADDRREQ;
	if (h->connected)
		return -EISCONN;
	m->ctl_len = 0;
	n = host_sendto(s, m);
	if (n == -EMSGSIZE) /* more than a request can carry */
		n = host_pv_connect(s, m->addr, m->addr_len);
	if (n == -EINPROGRESS && !m->u.nowait)
		n = wait_connected(s, m->addr, m->addr_len);
	if (n >= 0)
		h->connected = true;
	return n;
}

/* A look at readiness is cheap, a PV call is not: many servers accept until EAGAIN. */
static bool may_accept(struct socket *s)
{
	struct pollfd p = { .fd = s->handle, .events = POLLIN };

	return mc_poll(&p, 1, 0) != 0;
}

static s64 pv_accept(struct socket *s, u32 handle, struct host_sock *peer)
{
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_ACCEPT;
	slot.req.u.accept = (struct pv_req_xen_accept){ .id = s->handle,
						     .id_new = handle,
						     .cred = exec_id_cred(),
						     .pid = current->proc->pid };
	host_sock_who(&slot, 0);
	ret = mc_pv_call(&slot);
	if (ret >= 0) {
		peer->sk.ino = slot.rsp.flags;
		peer->peer_len = min(slot.rsp.val, PV_ADDR_MAX);
		memcpy(peer->peer, slot.buf, peer->peer_len);
		peer->connected = true;
		peer->wants_control = host_of(s)->wants_control; /* inherited, as the options are */
	}
	mc_pv_put(&slot);
	return ret;
}

static struct socket *try_accept(struct socket *s)
{
	u32 handle = host_handle_get();
	struct host_sock *h;
	s64 ret;

	if (!handle)
		return ERR_PTR(-ENFILE);
	h = host_sock_wrap(&inet_ops, s, handle);
	ret = h ? pv_accept(s, handle, h) : -ENOMEM;
	if (ret >= 0)
		return &h->sk;
	host_handle_unused(handle);
	kfree(h);
	return ERR_PTR(ret);
}

static struct socket *inet_accept(struct socket *s, bool nowait)
{
	u64 deadline = sock_deadline(s->rcvtimeo);

	if (s->type != SOCK_STREAM)
		return ERR_PTR(-EOPNOTSUPP);
	for (;;) {
		struct socket *new = may_accept(s) ? try_accept(s) : ERR_PTR(-EAGAIN);
		long err;

		if (!IS_ERR(new) || PTR_ERR(new) != -EAGAIN || nowait)
			return new;
		err = inet_wait(s, POLLIN, deadline, s->rcvtimeo, NULL);
		if (err)
			return ERR_PTR(err);
	}
}

static const struct sock_ops inet_ops = {
	.bind = host_bind,
	.connect = inet_connect,
	.listen = host_listen,
	.accept = inet_accept,
	.getname = host_getname,
	.shutdown = host_shutdown,
	.getsockopt = host_getsockopt,
	.setsockopt = host_setsockopt,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
	.ioctl = host_ioctl,
	.release = host_release,
};
