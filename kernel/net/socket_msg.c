/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that move data through sockets. */
#include <linux/time.h>

#include "epoll.h"
#include "msg.h"
#include "sock_calls.h"
#include "syscall.h"
#include "task.h"

#define MMSG_MAX 1024

long sys_sendto(u64 fd, u64 buf, u64 len, u64 flags, u64 uaddr, u64 addr_len)
{
	struct fdref r __fdref = { 0 };
	struct mc_iovec iov;
	struct msg m;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	msg_init(&m, flags, socket_nonblock(r));
	msg_one_buffer(&m, &iov, buf, len);
	if (uaddr) {
		err = sockaddr_from_user(m.addr, uaddr, addr_len);
		if (err)
			return err;
		m.addr_len = addr_len;
	}
	return socket_send(r.f->priv, &m);
}

long sys_recvfrom(u64 fd, u64 buf, u64 len, u64 flags, u64 uaddr, u64 ulen)
{
	struct fdref r __fdref = { 0 };
	struct socket *s;
	struct mc_iovec iov;
	struct msg m;
	s64 n;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	s = r.f->priv;
	msg_init(&m, flags, socket_nonblock(r));
	msg_one_buffer(&m, &iov, buf, len);
	m.want_addr = uaddr != 0;
	n = s->ops->recvmsg(s, &m);
	if (n >= 0 && uaddr) {
		err = sockaddr_to_user(uaddr, ulen, m.addr, m.addr_len);
		if (err)
			return err;
	}
	return n;
}

static s64 send_one(struct fdref r, const struct user_msghdr *h, u32 flags)
{
	struct msg_buffers b = { .heap = NULL };
	struct msg m;
	s64 n;

	msg_init(&m, flags, socket_nonblock(r));
	n = msg_import_send(&m, &b, h);
	if (!n)
		n = socket_send(r.f->priv, &m);
	msg_free(&m, &b);
	return n;
}

long sys_sendmsg(u64 fd, u64 uhdr, u64 flags)
{
	struct fdref r __fdref = { 0 };
	struct user_msghdr h;
	int err = socket_borrow((int)fd, &r);

	if (err)
		return err;
	if (mc_copy_from_user(&h, uhdr, sizeof(h)))
		return -EFAULT;
	return send_one(r, &h, flags);
}

static s64 recv_one(struct fdref r, uaddr_t uhdr, u32 flags)
{
	struct msg_buffers b = { .heap = NULL };
	struct socket *s = r.f->priv;
	struct user_msghdr h;
	struct msg m;
	s64 n, err;

	if (mc_copy_from_user(&h, uhdr, sizeof(h)))
		return -EFAULT;
	msg_init(&m, flags, socket_nonblock(r));
	n = msg_import_recv(&m, &b, &h);
	if (!n)
		n = s->ops->recvmsg(s, &m);
	if (n >= 0) {
		err = msg_export_recv(&m, &h, uhdr);
		if (err)
			n = err;
	}
	msg_free(&m, &b);
	return n;
}

long sys_recvmsg(u64 fd, u64 uhdr, u64 flags)
{
	struct fdref r __fdref = { 0 };
	int err = socket_borrow((int)fd, &r);

	return err ? err : recv_one(r, uhdr, flags);
}

long sys_sendmmsg(u64 fd, u64 uvec, u64 n, u64 flags)
{
	struct fdref r __fdref = { 0 };
	struct user_mmsghdr h;
	u32 done = 0, len;
	s64 ret = socket_borrow((int)fd, &r);

	if (ret)
		return ret;
	for (; done < min((u32)n, (u32)MMSG_MAX); done++, uvec += sizeof(h)) {
		ret = -EFAULT;
		if (mc_copy_from_user(&h, uvec, sizeof(h)))
			break;
		ret = send_one(r, &h.hdr, flags);
		if (ret < 0)
			break;
		len = ret;
		ret = mc_copy_to_user(uvec + offsetof(struct user_mmsghdr, len), &len, sizeof(len));
		if (ret)
			break;
	}
	return done ? (s64)done : ret;
}

static s64 recv_many(struct fdref r, uaddr_t uvec, u32 n, u32 flags, u64 deadline)
{
	u32 done = 0, len;
	s64 ret = 0;

	for (; done < n; done++, uvec += sizeof(struct user_mmsghdr)) {
		ret = recv_one(r, uvec, flags & ~MSG_WAITFORONE);
		if (ret < 0)
			return done ? (s64)done : ret;
		len = ret;
		if (mc_copy_to_user(uvec + offsetof(struct user_mmsghdr, len), &len, sizeof(len)))
			return done ? (s64)done : -EFAULT;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* As in Linux, the timeout is looked at between messages only. */
		if (deadline != MC_FOREVER && mc_clock(CLOCK_MONOTONIC) >= deadline)
			return done + 1;
	}
	return done;
}

long sys_recvmmsg(u64 fd, u64 uvec, u64 n, u64 flags, u64 uts)
{
	struct fdref r __fdref = { 0 };
	u64 deadline;
	s64 ret = deadline_from_timespec(uts, &deadline);

	if (!ret)
		ret = socket_borrow((int)fd, &r);
	if (ret)
		return ret;
	ret = recv_many(r, uvec, min((u32)n, (u32)MMSG_MAX), flags, deadline);
	deadline_to_timespec(uts, deadline);
	return ret;
}
