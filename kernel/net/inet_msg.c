/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data of inet sockets, and of unix sockets that are the host's. The donated descriptor sends and receives what needs no address and no
 * control data; the rest goes by PV call.
 *
 * Here alone is how a call blocks: the host's socket blocks by itself, interrupted by kicks.
 * MSG_DONTWAIT goes to the host when the guest does not want to wait, or only for some time: on
 * EAGAIN the latter waits for readiness and tries again.
 */
#include "host_sock.h"
#include "ring.h"
#include "task.h"
#include "trace_hook.h"

#define HOST_FLAGS                                                                                 \
	(MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_TRUNC | MSG_EOR | MSG_CONFIRM | MSG_MORE)

long inet_wait(struct socket *s, u32 events, u64 deadline, u64 timeo, u32 *got)
{
	struct pollfd p = { .fd = s->handle, .events = (short)events };
	int ret;

	trace_may_sleep();
	ret = mc_poll(&p, 1, deadline);

	if (ret > 0 && got)
		*got = (u16)p.revents;
	if (ret > 0)
		return 0;
	if (ret == -ETIMEDOUT)
		return -EAGAIN;
	if (ret == -EINTR || task_work_pending())
		return sock_interrupted(timeo);
	if (ret < 0)
		return ret;
	return 0; /* unparked without cause: the caller tries again */
}

/* What one host call can take: the whole vector, or the rest of a buffer that was done in part. */
struct piece {
	struct mc_iovec one;
	const struct mc_iovec *iov;
	int n;
};

static void piece_of(struct piece *p, const struct uio *u)
{
	p->iov = u->iov;
	p->n = u->n;
	if (!u->n || u->skip) {
		p->one = (struct mc_iovec){ 0 };
		if (u->n)
			p->one = (struct mc_iovec){ u->iov->base + u->skip, u->iov->len - u->skip };
		p->iov = &p->one;
		p->n = 1;
	}
}

static void advance(struct uio *u, size_t n)
{
	u->resid -= n;
	while (n && n >= u->iov->len - u->skip) {
		n -= u->iov->len - u->skip;
		u->skip = 0;
		if (u->n == 1) {
			u->n = 0;
			return;
		}
		u->iov++;
		u->n--;
	}
	u->skip += n;
}

static u32 host_flags(const struct msg *m, u64 timeo)
{
	return (m->flags & HOST_FLAGS) | (m->u.nowait || timeo ? MSG_DONTWAIT : 0);
}

/* ---- sending ---- */

static s64 try_send(struct socket *s, struct msg *m)
{
	struct piece p;

	if (m->addr_len || m->ctl_len)
		return host_sendto(s, m);
	piece_of(&p, &m->u);
	if (m->u.kernel)
		return mc_io_kernel(s->handle, (void *)p.iov->base, p.iov->len, -1,
				    MC_WRITE | (m->u.nowait || s->sndtimeo ? MC_NOWAIT : 0));
	if (!(host_flags(m, s->sndtimeo) & MSG_DONTWAIT))
		trace_may_sleep();
	return mc_send(s->handle, p.iov, p.n, host_flags(m, s->sndtimeo));
}

s64 inet_sendmsg(struct socket *s, struct msg *m)
{
	u64 deadline = sock_deadline(s->sndtimeo);
	bool by_call = false;
	s64 sum = 0, n;

	if (s->type == SOCK_STREAM) {
		if (m->flags & MSG_FASTOPEN) {
			n = inet_fast_open(s, m);
			if (n)
				return n;
		}
		m->addr_len = 0; /* a connection has one destination, and TCP no control data to send */
		m->ctl_len = 0;
	}
	by_call = m->addr_len || m->ctl_len;
	for (;;) {
		n = try_send(s, m);
		if (n >= 0) {
			sum += n;
			if (!by_call)
				advance(&m->u, n);
			if (s->type != SOCK_STREAM || !m->u.resid)
				return sum;
			if (m->u.nowait)
				continue; /* the next try tells, and a short send is rare */
		} else if (n != -EAGAIN || m->u.nowait) {
			break;
		}
		if (n < 0) {
			n = inet_wait(s, POLLOUT, deadline, s->sndtimeo, NULL);
			if (n)
				break;
		}
	}
	if (n == -EINTR &&
	    !sum) /* of the host call: a kick; what it means is decided on the way out */
		n = sock_interrupted(s->sndtimeo);
	return sum ? sum : n;
}

/* ---- receiving ---- */

/* A connection policy of the container has to see what comes in. */
static bool dgram_seen(const struct socket *s, const struct msg *m)
{
	return s->domain != AF_UNIX && s->type != SOCK_STREAM && !m->u.kernel && ((const struct boot_info *)mc_boot_info())->dgrams_by_call;
}

/* Whoever wants control messages gets them with the data, from the hypervisor. */
static bool by_call(struct socket *s, const struct msg *m)
{
	if (s->domain == AF_UNIX) /* nothing comes with its data: unix_host.c */
		return false;
	if (dgram_seen(s, m))
		return true;
	return (m->flags & MSG_ERRQUEUE) || (m->uctl_room && host_of(s)->wants_control);
}

static s64 try_recv(struct socket *s, struct msg *m)
{
	struct piece p;
	u32 flags = host_flags(m, s->rcvtimeo), len = SOCK_ADDR_MAX;
	bool dgram = s->type != SOCK_STREAM;
	size_t room = m->u.resid;
	s64 n;

	if (by_call(s, m))
		return host_recvfrom(s, m);
	piece_of(&p, &m->u);
	if (m->u.kernel)
		return mc_io_kernel(s->handle, (void *)p.iov->base, p.iov->len, -1,
				    m->u.nowait || s->rcvtimeo ? MC_NOWAIT : 0);
	if (dgram)
		flags |= MSG_TRUNC; /* to know whether it was cut */
	if (!(flags & MSG_DONTWAIT))
		trace_may_sleep();
	n = mc_recv(s->handle, p.iov, p.n, flags, m->want_addr ? m->addr : NULL,
		    m->want_addr ? &len : NULL);
	if (n < 0)
		return n;
	m->addr_len = m->want_addr && dgram ? len : 0;
	if (dgram && (u64)n > room) {
		m->out_flags |= MSG_TRUNC;
		return m->flags & MSG_TRUNC ? n : (s64)room;
	}
	return n;
}

s64 inet_recvmsg(struct socket *s, struct msg *m)
{
	u64 deadline = sock_deadline(s->rcvtimeo);
	bool whole = s->type == SOCK_STREAM &&
		     (m->flags & (MSG_WAITALL | MSG_PEEK | MSG_TRUNC)) == MSG_WAITALL;
	size_t room = m->u.resid;
	s64 sum = 0, n;

	for (;;) {
		n = try_recv(s, m);
		if (n >= 0) {
			sum += n;
			if (!n || !whole || sum == (s64)room)
				return sum;
			if (!by_call(s, m)) /* which moves m along by itself */
				advance(&m->u, n);
		} else if (n != -EAGAIN || m->u.nowait || (m->flags & MSG_ERRQUEUE)) {
			break;
		}
		if (n < 0) {
			n = inet_wait(s, m->flags & MSG_OOB ? POLLPRI : POLLIN, deadline,
				      s->rcvtimeo, NULL);
			if (n)
				break;
		}
	}
	if (n == -EINTR && !sum)
		n = sock_interrupted(s->rcvtimeo);
	return sum ? sum : n;
}
