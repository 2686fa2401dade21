/* SPDX-License-Identifier: Apache-2.0 */
/* The PV calls on sockets. Addresses and options are the hypervisor's to judge. */
#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "cred.h"
#include "exec_id.h"
#include "host_sock.h"
#include "isolated.h"
#include "hostfs.h"
#include "task.h"

/* linux/if.h wants headers of the C library. */
#define IFREQ_SIZE 40u
struct ifconf {
	int len;
	uaddr_t buf;
};

/* ---- life ---- */

struct host_sock *host_sock_wrap(const struct sock_ops *ops, const struct socket *like, u32 handle)
{
	struct host_sock *h = kzalloc(sizeof(*h));

	if (!h)
		return NULL;
	h->sk.ops = ops;
	h->sk.domain = like->domain;
	h->sk.type = like->type;
	h->sk.protocol = like->protocol;
	h->sk.handle = handle;
	h->sk.ino = like->ino;
	return h;
}

void host_sock_who(struct pv_slot *s, u32 at)
{
	struct pv_who who = { .magic = PV_WHO_MAGIC, .uid = current->cred->uid };

	memcpy(who.program, current->proc->executes, sizeof(who.program));
	memcpy(s->buf + at, &who, sizeof(who)); /* which need not be aligned */
}

/* Sets like->ino: the number that the host knows the socket by. */
static s64 pv_socket(u32 handle, struct socket *like)
{
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	s.req.cmd = PV_SOCKET;
	s.req.u.socket = (struct pv_req_xen_socket){ .id = handle,
						     .domain = like->domain,
						     .type = like->type,
						     .protocol = like->protocol,
						     .cred = exec_id_cred(),
						     .pid = current->proc->pid };
	host_sock_who(&s, 0);
	ret = mc_pv_call(&s);
	if (ret >= 0)
		like->ino = s.rsp.flags;
	mc_pv_put(&s);
	return ret;
}

struct socket *host_sock_new(const struct sock_ops *ops, int domain, int type, int protocol)
{
	struct socket like = { .domain = domain, .type = type, .protocol = protocol };
	u32 handle = host_handle_get();
	struct host_sock *h;
	s64 ret;

	if (!handle)
		return ERR_PTR(-ENFILE);
	ret = pv_socket(handle, &like);
	if (ret < 0) {
		host_handle_unused(handle);
		return ERR_PTR(ret);
	}
	h = host_sock_wrap(ops, &like, handle);
	if (!h) {
		mc_handle_release(handle);
		return ERR_PTR(-ENOMEM);
	}
	return &h->sk;
}

void host_release(struct socket *s)
{
	mc_handle_release(s->handle);
	kfree(s);
}

/* ---- names and connections ---- */

int host_bind(struct socket *s, const void *addr, u32 len)
{
	struct pv_slot slot;
	s64 ret;

	len = min(len,
		  PV_ADDR_MAX); /* of struct sockaddr_storage only the beginning is an address */
	mc_pv_get(&slot);
	slot.req.cmd = PV_BIND;
	slot.req.u.bind =
		(struct pv_req_xen_bind){ .id = s->handle, .len = len, .cred = exec_id_cred(),
					  .pid = current->proc->pid };
	memcpy(slot.req.u.bind.addr, addr, len);
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return ret;
}

int host_pv_connect(struct socket *s, const void *addr, u32 len)
{
	struct pv_slot slot;
	s64 ret;

	len = min(len, PV_ADDR_MAX);
	mc_pv_get(&slot);
	slot.req.cmd = PV_CONNECT;
	slot.req.u.connect =
		(struct pv_req_xen_connect){ .id = s->handle, .len = len, .cred = exec_id_cred(),
					     .pid = current->proc->pid };
	memcpy(slot.req.u.connect.addr, addr, len);
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return ret;
}

int host_listen(struct socket *s, int backlog)
{
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_LISTEN;
	slot.req.u.listen = (struct pv_req_xen_listen){ .id = s->handle,
						     .backlog = backlog,
						     .cred = exec_id_cred(),
						     .pid = current->proc->pid };
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return ret;
}

static void sock_request(struct pv_slot *slot, u32 cmd, struct socket *s)
{
	mc_pv_get(slot);
	slot->req.cmd = cmd;
	slot->req.u.sock = (struct pv_req_sock){ .id = s->handle,
						 .cred = exec_id_cred(),
						 .pid = current->proc->pid };
}

int host_getname(struct socket *s, void *addr, bool peer)
{
	struct host_sock *h = host_of(s);
	struct pv_slot slot;
	s64 ret;

	if (peer && h->peer_len) { /* known from accept: once, it may disconnect later */
		ret = h->peer_len;
		h->peer_len = 0;
		memcpy(addr, h->peer, ret);
		return ret;
	}
	sock_request(&slot, peer ? PV_GETPEERNAME : PV_GETSOCKNAME, s);
	ret = mc_pv_call(&slot);
	if (ret > SOCK_ADDR_MAX)
		ret = SOCK_ADDR_MAX;
	if (ret > 0)
		memcpy(addr, slot.buf, ret);
	mc_pv_put(&slot);
	return ret;
}

int host_shutdown(struct socket *s, int how)
{
	struct pv_slot slot;
	s64 ret;

	sock_request(&slot, PV_SHUTDOWN, s);
	slot.req.u.sock.name = how;
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return ret;
}

/* ---- options ---- */

int host_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct pv_slot slot;
	s64 ret;

	sock_request(&slot, PV_GETSOCKOPT, s);
	slot.req.u.sock.level = level;
	slot.req.u.sock.name = name;
	slot.req.u.sock.len = room;
	memcpy(slot.buf, val, room); /* some options read it, too */
	ret = mc_pv_call(&slot);
	if (ret > (s64)room)
		ret = room;
	if (ret > 0)
		memcpy(val, slot.buf, ret);
	mc_pv_put(&slot);
	return ret;
}

/*
 * Options of the IP levels and time stamps make control messages; the few that do not cost a
 * slower receive.
 */
static bool makes_control(int level, int name)
{
	if (level == IPPROTO_IP || level == IPPROTO_IPV6 || level == IPPROTO_UDP)
		return true;
	if (level == IPPROTO_TCP)
		return name == TCP_INQ;
	if (level != SOL_SOCKET)
		return false;
	switch (name) {
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_NEW:
	case SO_RXQ_OVFL:
		return true;
	default:
		return false;
	}
}

int host_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	struct pv_slot slot;
	s64 ret;

	sock_request(&slot, PV_SETSOCKOPT, s);
	slot.req.u.sock.level = level;
	slot.req.u.sock.name = name;
	slot.req.u.sock.len = len;
	memcpy(slot.buf, val, len);
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	if (ret >= 0 && makes_control(level, name))
		host_of(s)->wants_control = true;
	return ret;
}

/* ---- ioctl ---- */

static u32 ioctl_size(u32 cmd)
{
	switch (cmd) {
	case FIONREAD:
	case TIOCOUTQ:
	case SIOCATMARK:
		return sizeof(int);
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
	case (u32)SIOCGSTAMP_NEW:
	case (u32)SIOCGSTAMPNS_NEW:
		return 2 * sizeof(s64);
	case SIOCGIFNAME:
	case SIOCGIFINDEX:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFTXQLEN:
		return IFREQ_SIZE;
	default:
		return 0;
	}
}

static s64 pv_ioctl(struct pv_slot *slot, struct socket *s, u32 cmd, u32 len)
{
	slot->req.cmd = PV_IOCTL;
	slot->req.u.handle = (struct pv_req_handle){ .id = s->handle,
						     .flags = cmd,
						     .len = len,
						     .cred = exec_id_cred(),
						     .pid = current->proc->pid };
	return mc_pv_call(slot);
}

/* struct ifconf has a pointer in it: the list travels in the buffer. */
static s64 ioctl_ifconf(struct socket *s, uaddr_t arg)
{
	struct ifconf conf;
	struct pv_slot slot;
	u32 room = 64 * IFREQ_SIZE;
	s64 ret;

	if (mc_copy_from_user(&conf, arg, sizeof(conf)))
		return -EFAULT;
	if (conf.buf) /* without one the length is only returned, whatever was in it */
		room = conf.len < 0 ? 0 : min((u32)conf.len, room);
	mc_pv_get(&slot);
	ret = pv_ioctl(&slot, s, SIOCGIFCONF, room);
	if (ret > 0 && conf.buf && mc_copy_to_user(conf.buf, slot.buf, ret))
		ret = -EFAULT;
	mc_pv_put(&slot);
	if (ret < 0)
		return ret;
	conf.len = ret;
	return mc_copy_to_user(arg, &conf, sizeof(conf));
}

s64 host_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	u32 size = ioctl_size(cmd);
	struct pv_slot slot;
	s64 ret = 0;

	if (cmd == SIOCGIFCONF)
		return ioctl_ifconf(s, arg);
	if (!size)
		return -ENOTTY;
	mc_pv_get(&slot);
	if (size > sizeof(int) && mc_copy_from_user(slot.buf, arg, size))
		ret = -EFAULT;
	if (!ret)
		ret = pv_ioctl(&slot, s, cmd, size);
	if (ret >= 0 && mc_copy_to_user(arg, slot.buf, size))
		ret = -EFAULT;
	mc_pv_put(&slot);
	return ret;
}

s64 netdev_ioctl(u32 cmd, uaddr_t arg)
{
	static struct mutex lock;
	static struct socket any = { .domain = AF_INET, .type = SOCK_DGRAM };
	s64 ret = 0;

	if (current_net_ns() != &init_net_ns)
		return isolated_ioctl(current_net_ns(), cmd, arg);
	if (cmd != SIOCGIFCONF && ioctl_size(cmd) != IFREQ_SIZE)
		return -ENOTTY;
	{
		guard(&lock);
		if (!any.handle) { /* made once, kept for ever */
			u32 handle = host_handle_get();

			ret = handle ? pv_socket(handle, &any) : -ENFILE;
			if (ret >= 0)
				any.handle = handle;
			else if (handle)
				host_handle_unused(handle);
		}
	}
	return ret < 0 ? ret : host_ioctl(&any, cmd, arg);
}

/* ---- whole messages by PV call ---- */

#define SENDTO_FLAGS \
	(MSG_OOB | MSG_DONTROUTE | MSG_CONFIRM | MSG_MORE | MSG_EOR | MSG_FASTOPEN)

s64 host_sendto(struct socket *s, struct msg *m)
{
	u32 addr_len = min(m->addr_len, PV_ADDR_MAX);
	size_t len = m->u.resid;
	struct pv_slot slot;
	struct uio u = m->u; /* the caller's stays as it is until the message is sent */
	s64 ret = 0;

	if (addr_len + m->ctl_len + len > RING_BUF_SIZE)
		return -EMSGSIZE;
	sock_request(&slot, PV_SENDTO, s);
	slot.req.u.sock.flags = m->flags & SENDTO_FLAGS;
	slot.req.u.sock.addr_len = addr_len;
	slot.req.u.sock.ctl_len = m->ctl_len;
	slot.req.u.sock.len = len;
	memcpy(slot.buf, m->addr, addr_len);
	if (m->ctl_len)
		memcpy(slot.buf + addr_len, m->ctl, m->ctl_len);
	if (len && uio_get(&u, slot.buf + addr_len + m->ctl_len, len) != (s64)len)
		ret = -EFAULT;
	if (!ret)
		ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	if (ret >= 0)
		m->u = u;
	return ret;
}

/* The control messages of the answer, one by one: their room at the user may be smaller. */
static void put_control(struct msg *m, const u8 *ctl, u32 ctl_len)
{
	struct msg in = { .ctl = (u8 *)ctl, .ctl_len = ctl_len };
	struct cmsghdr hdr;
	const u8 *data;
	u32 at = 0, len;
	int err;

	while (msg_next_cmsg(&in, &at, &hdr, &data, &len, &err))
		msg_put_cmsg(m, hdr.level, hdr.type, data, len);
}

static s64 take_answer(struct socket *s, struct msg *m, const struct pv_slot *slot, u32 ctl_room)
{
	struct pv_recv r;
	s64 len;

	memcpy(&r, slot->buf, sizeof(r));
	len = min((size_t)r.data_len, m->u.resid);
	if (len && uio_put(&m->u, slot->buf + PV_RECV_CTL_OFF + ctl_room, len) != len)
		return -EFAULT;
	m->addr_len = min(r.addr_len, PV_ADDR_MAX);
	memcpy(m->addr, slot->buf + PV_RECV_ADDR_OFF, m->addr_len);
	m->out_flags = r.msg_flags & ~MSG_CTRUNC;
	put_control(m, slot->buf + PV_RECV_CTL_OFF, min(r.ctl_len, ctl_room));
	m->out_flags |= r.msg_flags & MSG_CTRUNC;
	return (m->flags & MSG_TRUNC) && s->type != SOCK_STREAM ? (s64)r.full_len : len;
}

s64 host_recvfrom(struct socket *s, struct msg *m)
{
	u32 ctl_room = m->uctl_room ? 1024 : 0;
	size_t room = min(m->u.resid, (size_t)(RING_BUF_SIZE - PV_RECV_CTL_OFF - ctl_room));
	struct pv_slot slot;
	s64 ret;

	sock_request(&slot, PV_RECVFROM, s);
	slot.req.u.sock.flags = m->flags & (MSG_OOB | MSG_PEEK | MSG_ERRQUEUE |
					    (s->type == SOCK_STREAM ? 0 : MSG_TRUNC));
	slot.req.u.sock.len = room;
	slot.req.u.sock.ctl_len = ctl_room;
	ret = mc_pv_call(&slot);
	if (ret >= 0)
		ret = take_answer(s, m, &slot, ctl_room);
	mc_pv_put(&slot);
	return ret;
}
