/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket file and the system calls that make, name and configure sockets. Data:
 * socket_msg.c.
 */
#include <asm/ioctls.h>
#include <linux/netlink.h>
#include <linux/time.h>

#include "epoll.h"
#include "isolated.h"
#include "msg.h"
#include "sock_calls.h"
#include "signal.h"
#include "syscall.h"
#include "task.h"

#define OPT_MAX 4096u

u64 sock_deadline(u64 timeo)
{
	return timeo ? mc_clock(CLOCK_MONOTONIC) + timeo : MC_FOREVER;
}

/* ---- the file ---- */

s64 socket_send(struct socket *s, struct msg *m)
{
	s64 ret = s->ops->sendmsg(s, m);

	if (ret == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
		send_signal_task(current, SIGPIPE, NULL);
	return ret;
}

static s64 socket_read(struct file *f, struct uio *u, s64 *pos)
{
	struct socket *s = f->priv;
	struct msg m;
	s64 ret;

	msg_init(&m, 0, u->nowait);
	m.u = *u;
	ret = s->ops->recvmsg(s, &m);
	*u = m.u;
	return ret;
}

static s64 socket_write(struct file *f, struct uio *u, s64 *pos)
{
	struct msg m;
	s64 ret;

	msg_init(&m, 0, u->nowait);
	m.u = *u;
	ret = socket_send(f->priv, &m);
	*u = m.u;
	return ret;
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	return s->ops->poll ? s->ops->poll(s, f, pt)
			    : handle_poll(s->handle, POLLIN | POLLOUT | POLLPRI | POLLRDHUP);
}

static s64 socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = f->priv;

	return s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
}

static void socket_release(struct file *f)
{
	struct socket *s = f->priv;

	s->ops->release(s);
}

const struct file_ops socket_ops = {
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.release = socket_release,
};

struct file *socket_file(struct socket *s, u32 flags)
{
	struct file *f = anon_file_numbered("socket", s->ino, &socket_ops, O_RDWR | (flags & O_NONBLOCK),
					    FMODE_READ | FMODE_WRITE | FMODE_STREAM, S_IFSOCK | 0777, s);

	if (!f) {
		s->ops->release(s);
		return NULL;
	}
	s->file = f;
	s->ino = f->inode->ino;
	f->handle = s->handle;
	if (s->handle && !s->ops->poll)
		f->mode |= FMODE_HOSTPOLL;
	return f;
}

int socket_borrow(int fd, struct fdref *r)
{
	*r = fd_borrow(fd);
	if (!r->f || (r->f->mode & FMODE_PATH))
		return -EBADF;
	return socket_of_file(r->f) ? 0 : -ENOTSOCK;
}

bool socket_nonblock(struct fdref r)
{
	return READ_ONCE(r.f->flags) & O_NONBLOCK;
}

/* ---- socket, socketpair ---- */

static struct socket *new_socket(int domain, int type, int protocol)
{
	bool container = current_net_ns() == &init_net_ns; /* others have no part in its network */
	bool asks_host = protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG;

	switch (domain) {
	case AF_UNIX:
		return unix_socket(type, protocol);
	case AF_INET:
	case AF_INET6:
		return container ? inet_socket(domain, type, protocol) : isolated_socket(domain, type, protocol);
	case AF_NETLINK:
		return container && asks_host ? netlink_socket(type, protocol) : isolated_netlink(type, protocol);
	default:
		return ERR_PTR(-EAFNOSUPPORT);
	}
}

static bool bad_type(u32 type)
{
	return type & ~(u32)(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK);
}

long sys_socket(u64 domain, u64 utype, u64 protocol)
{
	u32 type = utype;
	struct socket *s;
	struct file *f;

	if (bad_type(type))
		return -EINVAL;
	s = new_socket((int)domain, type & SOCK_TYPE_MASK, (int)protocol);
	if (IS_ERR(s))
		return PTR_ERR(s);
	f = socket_file(s, type);
	return f ? fd_install(f, type & SOCK_CLOEXEC) : -ENOMEM;
}

static long install_pair(struct file *a, struct file *b, bool cloexec, uaddr_t ufds)
{
	int fds[2];
	long err;

	fds[0] = fd_reserve(cloexec);
	fds[1] = fds[0] < 0 ? fds[0] : fd_reserve(cloexec);
	err = fds[1] < 0 ? fds[1] : mc_copy_to_user(ufds, fds, sizeof(fds));
	if (!err) {
		fd_fill(fds[0], a);
		fd_fill(fds[1], b);
		return 0;
	}
	if (fds[1] >= 0)
		fd_unreserve(fds[1]);
	if (fds[0] >= 0)
		fd_unreserve(fds[0]);
	file_put(a);
	file_put(b);
	return err;
}

long sys_socketpair(u64 domain, u64 utype, u64 protocol, u64 ufds)
{
	u32 type = utype;
	struct socket *a, *b;
	struct file *fa, *fb;
	int err;

	if (bad_type(type))
		return -EINVAL;
	if ((int)domain != AF_UNIX)
		return (int)domain == AF_INET || (int)domain == AF_INET6 ? -EOPNOTSUPP
									 : -EAFNOSUPPORT;
	if ((int)protocol && (int)protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	err = unix_socketpair(type & SOCK_TYPE_MASK, &a, &b);
	if (err)
		return err;
	fa = socket_file(a, type);
	fb = socket_file(b, type);
	if (!fa || !fb) {
		file_put(fa);
		file_put(fb);
		return -ENOMEM;
	}
	return install_pair(fa, fb, type & SOCK_CLOEXEC, ufds);
}

/* ---- bind, connect, listen, accept, shutdown ---- */

/* The socket and the address that bind and connect are given. */
static int socket_and_address(u64 fd, u64 uaddr, u64 len, struct fdref *r, u8 *addr)
{
	int err = socket_borrow((int)fd, r);

	if (!err)
		err = sockaddr_from_user(addr, uaddr, len);
	if (err)
		return err;
	return (u32)len < sizeof(u16) ? -EINVAL : 0;
}

long sys_bind(u64 fd, u64 uaddr, u64 len)
{
	struct fdref r __fdref = { 0 };
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	struct socket *s;
	int err = socket_and_address(fd, uaddr, len, &r, addr);

	if (err)
		return err;
	s = r.f->priv;
	return s->ops->bind(s, addr, len);
}

long sys_connect(u64 fd, u64 uaddr, u64 len)
{
	struct fdref r __fdref = { 0 };
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	struct socket *s;
	int err = socket_and_address(fd, uaddr, len, &r, addr);

	if (err)
		return err;
	s = r.f->priv;
	return s->ops->connect(s, addr, len, socket_nonblock(r));
}

long sys_listen(u64 fd, u64 backlog)
{
	struct fdref r __fdref = { 0 };
	struct socket *s;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	s = r.f->priv;
	return s->ops->listen ? s->ops->listen(s, (int)backlog) : -EOPNOTSUPP;
}

static int peer_to_user(struct socket *s, uaddr_t uaddr, uaddr_t ulen)
{
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	int len;

	if (!uaddr)
		return 0;
	len = s->ops->getname(s, addr, true);
	if (len < 0)
		return -ECONNABORTED;
	return sockaddr_to_user(uaddr, ulen, addr, len);
}

static long do_accept(struct fdref r, uaddr_t uaddr, uaddr_t ulen, u32 flags)
{
	struct socket *s = r.f->priv, *new;
	struct file *f;
	int fd, err;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	fd = fd_reserve(flags & SOCK_CLOEXEC);
	if (fd < 0)
		return fd;
	new = s->ops->accept(s, socket_nonblock(r));
	f = IS_ERR(new) ? NULL : socket_file(new, flags);
	err = IS_ERR(new) ? PTR_ERR(new) : -ENOMEM;
	if (f) {
		err = peer_to_user(new, uaddr, ulen);
		if (err)
			file_put(f);
	}
	if (err) {
		fd_unreserve(fd);
		return err;
	}
	fd_fill(fd, f);
	return fd;
}

long sys_accept4(u64 fd, u64 uaddr, u64 ulen, u64 flags)
{
	struct fdref r __fdref = { 0 };
	int err;

	if ((u32)flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = socket_borrow((int)fd, &r);
	return err ? err : do_accept(r, uaddr, ulen, flags);
}

long sys_accept(u64 fd, u64 uaddr, u64 ulen)
{
	return sys_accept4(fd, uaddr, ulen, 0);
}

long sys_shutdown(u64 fd, u64 how)
{
	struct fdref r __fdref = { 0 };
	struct socket *s;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	if ((u32)how > SHUT_RDWR)
		return -EINVAL;
	s = r.f->priv;
	return s->ops->shutdown ? s->ops->shutdown(s, (int)how) : -EOPNOTSUPP;
}

static long get_name(u64 fd, uaddr_t uaddr, uaddr_t ulen, bool peer)
{
	struct fdref r __fdref = { 0 };
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	struct socket *s;
	int err = socket_borrow((int)fd, &r), len;

	if (err)
		return err;
	s = r.f->priv;
	len = s->ops->getname(s, addr, peer);
	return len < 0 ? len : sockaddr_to_user(uaddr, ulen, addr, len);
}

long sys_getsockname(u64 fd, u64 uaddr, u64 ulen)
{
	return get_name(fd, uaddr, ulen, false);
}

long sys_getpeername(u64 fd, u64 uaddr, u64 ulen)
{
	return get_name(fd, uaddr, ulen, true);
}

/* ---- options ---- */

static int set_timeo(u64 *timeo, const void *val, u32 len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0) /* as Linux: such a wait ends at once */
		*timeo = 1;
	else
		*timeo = min((u64)tv.tv_sec, 1ULL << 32) * NSEC_PER_SEC + tv.tv_usec * 1000;
	return 0;
}

static int get_timeo(u64 timeo, void *val)
{
	struct timeval tv = { timeo / NSEC_PER_SEC, timeo % NSEC_PER_SEC / 1000 };

	memcpy(val, &tv, sizeof(tv));
	return sizeof(tv);
}

static int set_option(struct socket *s, int level, int name, const void *val, u32 len)
{
	if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW))
		return set_timeo(&s->rcvtimeo, val, len);
	if (level == SOL_SOCKET && (name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW))
		return set_timeo(&s->sndtimeo, val, len);
	return s->ops->setsockopt(s, level, name, val, len);
}

static int get_int(void *val, int n)
{
	memcpy(val, &n, sizeof(n));
	return sizeof(n);
}

static int get_option(struct socket *s, int level, int name, void *val, u32 room)
{
	if (level != SOL_SOCKET)
		return s->ops->getsockopt(s, level, name, val, room);
	switch (name) {
	case SO_TYPE:
		return get_int(val, s->type);
	case SO_DOMAIN:
		return get_int(val, s->domain);
	case SO_PROTOCOL:
		return get_int(val, s->protocol);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return get_timeo(s->rcvtimeo, val);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return get_timeo(s->sndtimeo, val);
	default:
		return s->ops->getsockopt(s, level, name, val, room);
	}
}

long sys_setsockopt(u64 fd, u64 level, u64 name, u64 uval, u64 ulen)
{
	struct fdref r __fdref = { 0 };
	u8 small[128] __attribute__((aligned(8)));
	u8 *big __kfree = NULL, *val = small;
	u32 len = ulen;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	if ((int)len < 0 || len > OPT_MAX)
		return -EINVAL;
	if (len > sizeof(small)) {
		val = big = kmalloc(len);
		if (!big)
			return -ENOMEM;
	}
	if (len && mc_copy_from_user(val, uval, len))
		return -EFAULT;
	return set_option(r.f->priv, (int)level, (int)name, val, len);
}

long sys_getsockopt(u64 fd, u64 level, u64 name, u64 uval, u64 ulen)
{
	struct fdref r __fdref = { 0 };
	u8 *val __kfree = NULL;
	u32 room;
	int err = socket_borrow((int)fd, &r), len;

	if (err)
		return err;
	if (mc_copy_from_user(&room, ulen, sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	room = min(room, OPT_MAX);
	val = kzalloc(max(room, 64u));
	if (!val)
		return -ENOMEM;
	len = get_option(r.f->priv, (int)level, (int)name, val, room);
	if (len < 0)
		return len;
	len = min((u32)len, room);
	if (len && mc_copy_to_user(uval, val, len))
		return -EFAULT;
	return mc_copy_to_user(ulen, &len, sizeof(len));
}
