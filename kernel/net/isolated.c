/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP, UDP and raw sockets of a network namespace of the guest's own: life, ports, options. Nothing here makes
 * a PV call: that is what the namespace promises. What is sent over the loopback interface is in isolated_lo.c.
 */
#include "isolated.h"

#include <linux/sockios.h>
#include <asm/ioctls.h>

#include "task.h"
#include "user_ns.h"

#define FIRST_PORT 32768
#define LAST_PORT 60999
#define IPPROTO_IPV6_LEVEL 41
#define V6ONLY 26 /* IPV6_V6ONLY */

static struct mutex ports_lock;
static struct list_head ports = LIST_HEAD_INIT(ports);

struct isolated *isolated_new(struct net_ns *net, int domain, int type, int protocol)
{
	struct isolated *i = kzalloc(sizeof(*i));

	if (!i)
		return NULL;
	i->sk.ops = &isolated_ops;
	i->sk.domain = domain;
	i->sk.type = type;
	i->sk.protocol = protocol;
	i->net = net_ns_of(ns_get(&net->ns));
	i->name.family = (u16)domain;
	list_init(&i->node);
	waitq_init(&i->wait);
	return i;
}

static void isolated_release(struct socket *s)
{
	struct isolated *i = isolated_of(s);

	mutex_lock(&ports_lock);
	list_del(&i->node);
	mutex_unlock(&ports_lock);
	if (i->inner)
		i->inner->ops->release(i->inner);
	ns_put(&i->net->ns);
	kfree(i);
}

struct socket *isolated_socket(int domain, int type, int protocol)
{
	struct net_ns *net = current_net_ns();
	struct isolated *i;

	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (type == SOCK_RAW && !ns_capable(ns_owner(&net->ns), CAP_NET_RAW))
		return ERR_PTR(-EPERM);
	if (!protocol && type != SOCK_RAW)
		protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	i = isolated_new(net, domain, type, protocol);
	if (!i)
		return ERR_PTR(-ENOMEM);
	if (type != SOCK_RAW) {
		struct socket *inner = unix_socket(type, 0);

		if (IS_ERR(inner)) {
			isolated_release(&i->sk);
			return inner;
		}
		i->inner = inner;
	}
	return &i->sk;
}

/* ---- names and ports ---- */

u32 isolated_name_len(const struct socket *s)
{
	return s->domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static u16 swap16(u16 v)
{
	return (u16)(v << 8 | v >> 8);
}

u16 *isolated_port(union inet_name *n)
{
	return &n->in.sin_port; /* at the same place in both */
}

static bool any_address(const union inet_name *n)
{
	return n->family == AF_INET ? !n->in.sin_addr.s_addr : !memcmp(&n->in6.sin6_addr, (u8[16]){ 0 }, 16);
}

/* Is it an address of this namespace: any, or the loopback interface's while that is up? */
static bool address_here(const struct isolated *i, const union inet_name *n)
{
	static const u8 loopback[16] = { [15] = 1 };
	bool lo;

	if (n->family == AF_INET)
		lo = (n->in.sin_addr.s_addr & 0xff) == 127;
	else
		lo = !memcmp(&n->in6.sin6_addr, loopback, 16);
	return any_address(n) || (lo && READ_ONCE(i->net->lo_up));
}

/* Who has the port in the namespace and protocol of `like`. ports_lock held. */
static struct isolated *owner_of(const struct isolated *like, int family, u16 port)
{
	struct isolated *o;

	list_for_each(o, &ports, node)
		if (o->net == like->net && o->sk.type == like->sk.type && o->sk.domain == family &&
		    *isolated_port(&o->name) == port)
			return o;
	return NULL;
}

static struct isolated_option *find_option(struct isolated *i, int level, int name)
{
	for (int n = 0; n < i->noptions; n++)
		if (i->option[n].level == level && i->option[n].name == name)
			return &i->option[n];
	return NULL;
}

/* Does one that is bound to an IPv6 address take what is for IPv4? */
static bool takes_both(struct isolated *i)
{
	struct isolated_option *only = find_option(i, IPPROTO_IPV6_LEVEL, V6ONLY);

	return any_address(&i->name) && !(only && only->value);
}

int isolated_taker(const struct isolated *from, int family, u16 port)
{
	struct isolated *o;

	guard(&ports_lock);
	if (owner_of(from, family, port))
		return family;
	o = family == AF_INET ? owner_of(from, AF_INET6, port) : NULL;
	return o && takes_both(o) ? AF_INET6 : 0;
}

/* Also against those of the other family, where they would take the same packets. */
static bool port_taken(struct isolated *i, u16 port)
{
	struct isolated *o = owner_of(i, AF_INET6, port);

	if (owner_of(i, i->sk.domain, port))
		return true;
	if (i->sk.domain == AF_INET)
		return o && takes_both(o);
	return owner_of(i, AF_INET, port) && takes_both(i);
}

static int choose_port(struct isolated *i, u16 *port)
{
	static u32 next;

	for (u32 n = 0; n <= LAST_PORT - FIRST_PORT; n++) {
		*port = swap16((u16)(FIRST_PORT + next++ % (LAST_PORT - FIRST_PORT + 1)));
		if (!port_taken(i, *port))
			return 0;
	}
	return -EADDRINUSE;
}

int isolated_take_port(struct isolated *i, u16 port)
{
	int err = 0;

	guard(&ports_lock);
	if (!port)
		err = choose_port(i, &port);
	else if (port_taken(i, port))
		err = -EADDRINUSE;
	if (!err)
		err = isolated_bind_inner(i, port);
	if (err)
		return err;
	*isolated_port(&i->name) = port;
	list_add_tail(&i->node, &ports);
	return 0;
}

static int isolated_bind(struct socket *s, const void *addr, u32 len)
{
	struct isolated *i = isolated_of(s);
	union inet_name n = { 0 };
	u16 port;

	if (len < isolated_name_len(s))
		return -EINVAL;
	memcpy(&n, addr, isolated_name_len(s));
	if (n.family != s->domain)
		return -EAFNOSUPPORT;
	if (!address_here(i, &n))
		return -EADDRNOTAVAIL;
	port = *isolated_port(&n);
	if (port && swap16(port) < 1024 && !ns_capable(ns_owner(&i->net->ns), CAP_NET_BIND_SERVICE))
		return -EACCES;
	guard(&i->lock);
	if (*isolated_port(&i->name))
		return -EINVAL;
	i->name = n;
	*isolated_port(&i->name) = 0;
	return s->type == SOCK_RAW ? 0 : isolated_take_port(i, port);
}

static int isolated_getname(struct socket *s, void *addr, bool peer)
{
	struct isolated *i = isolated_of(s);

	guard(&i->lock);
	if (peer && !i->peer.family)
		return -ENOTCONN;
	memcpy(addr, peer ? &i->peer : &i->name, isolated_name_len(s));
	return (int)isolated_name_len(s);
}

/* ---- options: kept, for they change nothing ---- */

static int isolated_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	struct isolated *i = isolated_of(s);
	struct isolated_option *o;

	guard(&i->lock);
	o = find_option(i, level, name);
	if (!o && i->noptions < ISOLATED_OPTIONS)
		o = &i->option[i->noptions++];
	if (!o)
		return -ENOBUFS;
	*o = (struct isolated_option){ .level = level, .name = name };
	memcpy(&o->value, val, min(len, (u32)sizeof(o->value)));
	return 0;
}

static int isolated_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct isolated *i = isolated_of(s);
	struct isolated_option *o;
	int value = 0;

	if (i->inner && level == SOL_SOCKET && name == SO_ERROR)
		return i->inner->ops->getsockopt(i->inner, level, name, val, room);
	guard(&i->lock);
	o = find_option(i, level, name);
	if (o)
		value = o->value;
	else if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF))
		value = 212992;
	if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
		value = i->listening;
	memcpy(val, &value, min(room, (u32)sizeof(value)));
	return (int)min(room, (u32)sizeof(value));
}

static s64 isolated_sock_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct isolated *i = isolated_of(s);

	if (i->inner && (cmd == FIONREAD || cmd == TIOCOUTQ))
		return i->inner->ops->ioctl(i->inner, cmd, arg);
	return isolated_ioctl(i->net, cmd, arg);
}

const struct sock_ops isolated_ops = {
	.bind = isolated_bind,
	.connect = isolated_connect,
	.listen = isolated_listen,
	.accept = isolated_accept,
	.getname = isolated_getname,
	.shutdown = isolated_shutdown,
	.getsockopt = isolated_getsockopt,
	.setsockopt = isolated_setsockopt,
	.sendmsg = isolated_sendmsg,
	.recvmsg = isolated_recvmsg,
	.poll = isolated_poll,
	.ioctl = isolated_sock_ioctl,
	.release = isolated_release,
};
