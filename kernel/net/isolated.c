/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP, UDP and raw sockets of a network namespace of the guest's own. They can be made, named and asked; nobody can be
 * reached with them, also not over the loopback interface: its traffic would need a network that the
 * hypervisor does not have for it. Nothing here makes a PV call: that is what the namespace promises.
 */
#include "isolated.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>

#include "list.h"
#include "signal.h"
#include "task.h"
#include "user_ns.h"

#define OPTIONS_MAX 32
#define FIRST_PORT 32768
#define LAST_PORT 60999

struct option {
	int level, name, value;
};

struct isolated {
	struct socket sk;
	struct net_ns *net; /* counted */
	struct mutex lock;
	struct list_head node; /* among those with a port */
	struct waitq wait;     /* nothing ever comes; for who waits nevertheless */
	union {
		u16 family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name;
	bool listening;
	int noptions;
	struct option option[OPTIONS_MAX]; /* what was set, for who asks */
};

static struct mutex ports_lock;
static struct list_head ports = LIST_HEAD_INIT(ports);
static const struct sock_ops isolated_ops;

static struct isolated *isolated_of(struct socket *s)
{
	return (struct isolated *)s;
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
	i = kzalloc(sizeof(*i));
	if (!i)
		return ERR_PTR(-ENOMEM);
	i->sk.ops = &isolated_ops;
	i->sk.domain = domain;
	i->sk.type = type;
	i->sk.protocol = protocol;
	i->net = net_ns_of(ns_get(&net->ns));
	i->name.family = (u16)domain;
	list_init(&i->node);
	waitq_init(&i->wait);
	return &i->sk;
}

/* ---- names ---- */

static u32 name_len(const struct socket *s)
{
	return s->domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static u16 swap16(u16 v)
{
	return (u16)(v << 8 | v >> 8);
}

static u16 *port_of(struct isolated *i)
{
	return i->sk.domain == AF_INET ? &i->name.in.sin_port : &i->name.in6.sin6_port;
}

/* Is it an address of this namespace: any, or the loopback interface's while that is up? */
static bool address_here(const struct isolated *i, const void *addr)
{
	const struct sockaddr_in *in = addr;
	const struct sockaddr_in6 *in6 = addr;
	static const u8 loopback[16] = { [15] = 1 };
	bool any, lo;

	if (i->sk.domain == AF_INET) {
		any = !in->sin_addr.s_addr;
		lo = (in->sin_addr.s_addr & 0xff) == 127;
	} else {
		any = !memcmp(&in6->sin6_addr, (u8[16]){ 0 }, 16);
		lo = !memcmp(&in6->sin6_addr, loopback, 16);
	}
	return any || (lo && READ_ONCE(i->net->lo_up));
}

/* ports_lock held. */
static bool port_taken(const struct isolated *i, u16 port)
{
	struct isolated *o;

	list_for_each(o, &ports, node)
		if (o != i && o->net == i->net && o->sk.type == i->sk.type && o->sk.domain == i->sk.domain &&
		    *port_of(o) == port)
			return true;
	return false;
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

static int take_port(struct isolated *i, u16 port)
{
	int err = 0;

	guard(&ports_lock);
	if (!port)
		err = choose_port(i, &port);
	else if (port_taken(i, port))
		err = -EADDRINUSE;
	if (err)
		return err;
	*port_of(i) = port;
	list_add_tail(&i->node, &ports);
	return 0;
}

static int isolated_bind(struct socket *s, const void *addr, u32 len)
{
	struct isolated *i = isolated_of(s);
	u16 port;

	if (len < name_len(s))
		return -EINVAL;
	if (((const struct sockaddr *)addr)->sa_family != s->domain)
		return -EAFNOSUPPORT;
	if (!address_here(i, addr))
		return -EADDRNOTAVAIL;
	port = ((const struct sockaddr_in *)addr)->sin_port; /* at the same place in both */
	if (port && swap16(port) < 1024 && !ns_capable(ns_owner(&i->net->ns), CAP_NET_BIND_SERVICE))
		return -EACCES;
	guard(&i->lock);
	if (*port_of(i))
		return -EINVAL;
	memcpy(&i->name, addr, name_len(s));
	*port_of(i) = 0;
	return s->type == SOCK_RAW ? 0 : take_port(i, port);
}

static int isolated_getname(struct socket *s, void *addr, bool peer)
{
	if (peer)
		return -ENOTCONN;
	memcpy(addr, &isolated_of(s)->name, name_len(s));
	return (int)name_len(s);
}

/* ---- connections: there are none ---- */

static int isolated_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	u16 family = ((const struct sockaddr *)addr)->sa_family;

	if (family == AF_UNSPEC)
		return 0;
	if (family != s->domain)
		return -EAFNOSUPPORT;
	return len < name_len(s) ? -EINVAL : -ENETUNREACH;
}

static int isolated_listen(struct socket *s, int backlog)
{
	struct isolated *i = isolated_of(s);
	int err = 0;

	if (s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	guard(&i->lock);
	if (!*port_of(i))
		err = take_port(i, 0);
	i->listening = !err;
	return err;
}

static s64 wait_in_vain(struct isolated *i, bool nowait)
{
	long err;

	if (nowait)
		return -EAGAIN;
	err = wait_event(&i->wait, false, sock_deadline(i->sk.rcvtimeo));
	return err == -ETIMEDOUT ? -EAGAIN : err == -EINTR || err == -ERESTARTSYS ? sock_interrupted(i->sk.rcvtimeo) : err;
}

static struct socket *isolated_accept(struct socket *s, bool nowait)
{
	struct isolated *i = isolated_of(s);

	if (s->type != SOCK_STREAM)
		return ERR_PTR(-EOPNOTSUPP);
	if (!READ_ONCE(i->listening))
		return ERR_PTR(-EINVAL);
	return ERR_PTR(wait_in_vain(i, nowait));
}

static int isolated_shutdown(struct socket *s, int how)
{
	return -ENOTCONN;
}

static s64 isolated_sendmsg(struct socket *s, struct msg *m)
{
	if (s->type == SOCK_STREAM)
		return m->flags & MSG_FASTOPEN ? -ENETUNREACH : -EPIPE;
	return m->addr_len ? -ENETUNREACH : -EDESTADDRREQ;
}

static s64 isolated_recvmsg(struct socket *s, struct msg *m)
{
	if (s->type == SOCK_STREAM)
		return -ENOTCONN;
	return wait_in_vain(isolated_of(s), m->u.nowait);
}

static u32 isolated_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct isolated *i = isolated_of(s);

	poll_wait(pt, f, &i->wait);
	if (s->type != SOCK_STREAM)
		return POLLOUT | POLLWRNORM | POLLWRBAND;
	return READ_ONCE(i->listening) ? 0 : POLLOUT | POLLWRNORM | POLLHUP;
}

/* ---- options: kept, for they change nothing ---- */

static struct option *find_option(struct isolated *i, int level, int name)
{
	for (int n = 0; n < i->noptions; n++)
		if (i->option[n].level == level && i->option[n].name == name)
			return &i->option[n];
	return NULL;
}

static int isolated_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	struct isolated *i = isolated_of(s);
	struct option *o;

	guard(&i->lock);
	o = find_option(i, level, name);
	if (!o && i->noptions < OPTIONS_MAX)
		o = &i->option[i->noptions++];
	if (!o)
		return -ENOBUFS;
	*o = (struct option){ .level = level, .name = name };
	memcpy(&o->value, val, min(len, (u32)sizeof(o->value)));
	return 0;
}

static int isolated_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct isolated *i = isolated_of(s);
	struct option *o;
	int value = 0;

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
	int none = 0;

	if (cmd == FIONREAD || cmd == TIOCOUTQ)
		return mc_copy_to_user(arg, &none, sizeof(none)) ? -EFAULT : 0;
	return isolated_ioctl(isolated_of(s)->net, cmd, arg);
}

static void isolated_release(struct socket *s)
{
	struct isolated *i = isolated_of(s);

	mutex_lock(&ports_lock);
	list_del(&i->node);
	mutex_unlock(&ports_lock);
	ns_put(&i->net->ns);
	kfree(i);
}

static const struct sock_ops isolated_ops = {
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
