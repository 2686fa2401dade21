/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loopback interface of a network namespace of the guest's own. A connection, or a datagram, goes between two unix
 * sockets of the namespace with names that no program gives: their bytes need nothing that unix sockets do not have.
 * Every other address is unreachable. There is no ICMP, nothing is lost, and a buffer that is full makes the sender wait.
 */
#include "isolated.h"

#include "list.h"
#include "signal.h"
#include "task.h"

#define UNIX_HEADER offsetof(struct sockaddr_un, sun_path)

/* The abstract name that stands for a port. */
struct lo_name {
	u16 family; /* AF_UNIX */
	char mark[5];
	u8 type, inet_family;
	u8 port[2];
} __attribute__((packed));

static struct lo_name lo_name(const struct isolated *i, int family, u16 port)
{
	struct lo_name n = { AF_UNIX, { 0, 1, 'l', 'o', ' ' }, (u8)i->sk.type, (u8)family, { 0 } };

	memcpy(n.port, &port, sizeof(port));
	return n;
}

int isolated_bind_inner(struct isolated *i, u16 port)
{
	struct lo_name n = lo_name(i, i->sk.domain, port);

	return i->inner->ops->bind(i->inner, &n, sizeof(n));
}

/* An address of the loopback interface, as the socket's family shows one of the other's. */
static void set_address(union inet_name *n, int domain, int family, u16 port)
{
	static const u8 loopback[16] = { [15] = 1 }, mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

	memset(n, 0, sizeof(*n));
	n->family = (u16)domain;
	if (domain == AF_INET)
		n->in.sin_addr.s_addr = 0x0100007f;
	else
		memcpy(&n->in6.sin6_addr, family == AF_INET ? mapped : loopback, 16);
	*isolated_port(n) = port;
}

static bool from_lo_name(union inet_name *to, int domain, const void *addr, int len)
{
	struct lo_name n;
	u16 port;

	if (len != sizeof(n))
		return false;
	memcpy(&n, addr, sizeof(n));
	memcpy(&port, n.port, sizeof(port));
	set_address(to, domain, n.inet_family, port);
	return true;
}

/* Where to: the inet family that it is an address of, by the socket's or in a mapped address. -ENETUNREACH, -EINVAL ... */
static int destination(const struct isolated *i, const void *addr, u32 len, u16 *port)
{
	static const u8 loopback[16] = { [15] = 1 }, mapped[13] = { [10] = 0xff, 0xff, 127 };
	union inet_name n = { 0 };
	bool v4 = i->sk.domain == AF_INET, lo;

	if (len < sizeof(u16))
		return -EINVAL;
	memcpy(&n, addr, min(len, (u32)sizeof(n)));
	if (n.family != i->sk.domain)
		return -EAFNOSUPPORT;
	if (len < isolated_name_len(&i->sk))
		return -EINVAL;
	*port = *isolated_port(&n);
	if (v4) {
		lo = !n.in.sin_addr.s_addr || (n.in.sin_addr.s_addr & 0xff) == 127;
	} else {
		v4 = !memcmp(&n.in6.sin6_addr, mapped, sizeof(mapped));
		lo = v4 || !memcmp(&n.in6.sin6_addr, loopback, 16) || !memcmp(&n.in6.sin6_addr, (u8[16]){ 0 }, 16);
	}
	if (!lo || !READ_ONCE(i->net->lo_up))
		return -ENETUNREACH;
	return v4 ? AF_INET : AF_INET6;
}

/* A port of its own for who has none yet. */
static int bound(struct isolated *i)
{
	guard(&i->lock);
	return *isolated_port(&i->name) ? 0 : isolated_take_port(i, 0);
}

/* ---- connections ---- */

static int connect_stream(struct isolated *i, int family, u16 port, bool nowait)
{
	int taker = isolated_taker(i, family, port), err = bound(i);
	struct lo_name n = lo_name(i, taker, port);

	if (err)
		return err;
	if (!taker)
		return -ECONNREFUSED;
	i->inner->sndtimeo = i->sk.sndtimeo;
	return i->inner->ops->connect(i->inner, &n, sizeof(n), nowait);
}

int isolated_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	struct isolated *i = isolated_of(s);
	int family, err;
	u16 port;

	if (((const struct sockaddr *)addr)->sa_family == AF_UNSPEC) {
		guard(&i->lock);
		i->peer.family = 0;
		return 0;
	}
	family = destination(i, addr, len, &port);
	if (family < 0)
		return family;
	err = s->type == SOCK_STREAM ? connect_stream(i, family, port, nowait) :
	      s->type == SOCK_DGRAM  ? bound(i) : -ENETUNREACH;
	if (err)
		return err;
	guard(&i->lock);
	memcpy(&i->peer, addr, isolated_name_len(s));
	set_address(&i->name, s->domain, family, *isolated_port(&i->name));
	return 0;
}

int isolated_listen(struct socket *s, int backlog)
{
	struct isolated *i = isolated_of(s);
	int err;

	if (s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	err = bound(i);
	if (!err)
		err = i->inner->ops->listen(i->inner, backlog);
	if (!err)
		WRITE_ONCE(i->listening, true);
	return err;
}

struct socket *isolated_accept(struct socket *s, bool nowait)
{
	struct isolated *i = isolated_of(s), *end;
	struct socket *inner;
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	int len;

	if (s->type != SOCK_STREAM)
		return ERR_PTR(-EOPNOTSUPP);
	i->inner->rcvtimeo = s->rcvtimeo;
	inner = i->inner->ops->accept(i->inner, nowait);
	if (IS_ERR(inner))
		return inner;
	end = isolated_new(i->net, s->domain, s->type, s->protocol);
	if (!end) {
		inner->ops->release(inner);
		return ERR_PTR(-ENOMEM);
	}
	end->inner = inner;
	len = inner->ops->getname(inner, addr, true);
	if (!from_lo_name(&end->peer, s->domain, addr, len)) /* it has gone already */
		set_address(&end->peer, s->domain, s->domain, 0);
	set_address(&end->name, s->domain, s->domain, *isolated_port(&i->name));
	return &end->sk;
}

int isolated_shutdown(struct socket *s, int how)
{
	struct isolated *i = isolated_of(s);

	if (!i->inner || (!READ_ONCE(i->peer.family) && !READ_ONCE(i->listening)))
		return -ENOTCONN;
	return i->inner->ops->shutdown(i->inner, how);
}

/* ---- data ---- */

/* The receiver's name in place of the address. 1: there is none, and nobody to tell. */
static int set_receiver(struct isolated *i, struct msg *m)
{
	int family, taker, err = bound(i);
	bool connected = !m->addr_len;
	struct lo_name n;
	u16 port;

	if (err)
		return err;
	if (connected) {
		guard(&i->lock);
		if (!i->peer.family)
			return -EDESTADDRREQ;
		memcpy(m->addr, &i->peer, sizeof(i->peer));
		m->addr_len = isolated_name_len(&i->sk);
	}
	family = destination(i, m->addr, m->addr_len, &port);
	if (family < 0)
		return family;
	taker = isolated_taker(i, family, port);
	if (!taker)
		return connected ? -ECONNREFUSED : 1;
	n = lo_name(i, taker, port);
	memcpy(m->addr, &n, sizeof(n));
	m->addr_len = sizeof(n);
	return 0;
}

s64 isolated_sendmsg(struct socket *s, struct msg *m)
{
	struct isolated *i = isolated_of(s);
	size_t len = m->u.resid;
	s64 ret;

	if (!i->inner)
		return m->addr_len ? -ENETUNREACH : -EDESTADDRREQ;
	if (m->flags & (MSG_OOB | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	m->ctl_len = 0; /* nothing but bytes crosses a network */
	i->inner->sndtimeo = s->sndtimeo;
	if (s->type == SOCK_DGRAM) {
		int err = set_receiver(i, m);

		if (err)
			return err < 0 ? err : (s64)len;
	} else {
		m->addr_len = 0;
	}
	ret = i->inner->ops->sendmsg(i->inner, m);
	return ret == -ENOTCONN ? -EPIPE : ret;
}

static s64 wait_in_vain(struct isolated *i, bool nowait)
{
	long err;

	if (nowait)
		return -EAGAIN;
	err = wait_event(&i->wait, false, sock_deadline(i->sk.rcvtimeo));
	return err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(i->sk.rcvtimeo);
}

/* A datagram, and whom it is from. Of a connected socket: from its peer, others are dropped. */
static s64 receive_datagram(struct isolated *i, struct msg *m)
{
	struct uio room = m->u;
	bool wanted = m->want_addr;

	for (;;) {
		union inet_name from, *peer = &i->peer;
		bool known;
		s64 ret;

		m->want_addr = true;
		ret = i->inner->ops->recvmsg(i->inner, m);
		m->want_addr = wanted;
		if (ret < 0)
			return ret;
		known = from_lo_name(&from, i->sk.domain, m->addr, (int)m->addr_len);
		if (READ_ONCE(peer->family) && (!known || *isolated_port(&from) != *isolated_port(peer))) {
			m->u = room;
			m->out_flags = 0;
			continue;
		}
		m->addr_len = known && wanted ? isolated_name_len(&i->sk) : 0;
		memcpy(m->addr, &from, m->addr_len);
		return ret;
	}
}

s64 isolated_recvmsg(struct socket *s, struct msg *m)
{
	struct isolated *i = isolated_of(s);
	bool wanted = m->want_addr;
	s64 ret;

	if (!i->inner)
		return wait_in_vain(i, m->u.nowait);
	i->inner->rcvtimeo = s->rcvtimeo;
	if (s->type == SOCK_DGRAM)
		return receive_datagram(i, m);
	m->want_addr = false;
	ret = i->inner->ops->recvmsg(i->inner, m);
	m->want_addr = wanted;
	m->addr_len = 0;
	return ret == -EINVAL ? -ENOTCONN : ret;
}

u32 isolated_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct isolated *i = isolated_of(s);

	if (i->inner)
		return i->inner->ops->poll(i->inner, f, pt);
	poll_wait(pt, f, &i->wait);
	return POLLOUT | POLLWRNORM | POLLWRBAND;
}
