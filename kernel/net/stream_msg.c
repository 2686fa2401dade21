/* SPDX-License-Identifier: Apache-2.0 */
/* Data of stream sockets by way of their data rings. Urgent data is sent by PV call. */
#include <linux/in.h>
#include <linux/tcp.h>

#include "stream.h"
#include "task.h"

static long waited(long err, u64 timeo)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err ? sock_interrupted(timeo) : 0;
}

/* ---- receiving ---- */

static bool in_ended(struct stream *st)
{
	s32 err = ring_in_error(st);

	return READ_ONCE(st->shut_in) || (err && err != -EINPROGRESS);
}

/* Nothing is there to read: 0 at the end, an error once, or -EAGAIN. */
static long nothing_to_read(struct stream *st)
{
	long err = stream_take_error(st);

	if (err)
		return err;
	return in_ended(st) ? 0 : -EAGAIN;
}

static s64 try_take(struct stream *st, struct msg *m, bool *end)
{
	bool ended = in_ended(st); /* before the bytes that came before it */

	guard(&st->in_lock);
	*end = false;
	if (stream_readable(st))
		return stream_take(st, &m->u, m->flags);
	if (!ended)
		return -EAGAIN;
	*end = true;
	return nothing_to_read(st);
}

static void tell_rest(struct stream *st, struct msg *m)
{
	u32 rest = stream_readable(st);

	if (st->tells_rest && m->uctl_room)
		msg_put_cmsg(m, IPPROTO_TCP, TCP_CM_INQ, &rest, sizeof(rest));
}

/* The byte that has come apart from the stream. */
static s64 take_urgent(struct stream *st, struct msg *m)
{
	u32 count = __atomic_load_n(&st->ring->in_urgents, __ATOMIC_ACQUIRE), urgent = READ_ONCE(st->ring->in_urgent);
	u8 byte = (u8)urgent;

	guard(&st->in_lock);
	if (count == st->urgents_seen || !(urgent & DATA_RING_URGENT))
		return -EINVAL;
	m->out_flags |= MSG_OOB;
	if (!m->u.resid)
		return 0;
	if (uio_put(&m->u, &byte, 1) != 1)
		return -EFAULT;
	if (!(m->flags & MSG_PEEK))
		WRITE_ONCE(st->urgents_seen, count);
	return 1;
}

s64 stream_recvmsg(struct socket *s, struct msg *m)
{
	struct stream *st = stream_of(s);
	u64 deadline = sock_deadline(s->rcvtimeo);
	bool whole = (m->flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL, end;
	s64 sum = 0, n = 0;

	if (m->flags & MSG_ERRQUEUE)
		return host_recvfrom(s, m);
	if (!READ_ONCE(st->ring) || st->listening)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return take_urgent(st, m);
	while (m->u.resid) {
		n = try_take(st, m, &end);
		if (n > 0) {
			sum += n;
			if (!whole || !stream_to_mark(st))
				break;
			continue;
		}
		if (end || n != -EAGAIN || m->u.nowait)
			break;
		n = waited(wait_event(&st->wait, stream_readable(st) || in_ended(st), deadline), s->rcvtimeo);
		if (n)
			break;
	}
	if (sum)
		tell_rest(st, m);
	return sum ? sum : n;
}

/* ---- sending ---- */

static bool out_ended(struct stream *st)
{
	s32 err = ring_out_error(st);

	return READ_ONCE(st->shut_out) || (err && err != -EINPROGRESS);
}

static s64 try_put(struct stream *st, struct msg *m)
{
	long err;

	guard(&st->out_lock);
	if (out_ended(st)) {
		err = stream_take_error(st);
		return err ? err : -EPIPE;
	}
	if (ring_out_error(st) == -EINPROGRESS || !stream_writable(st))
		return -EAGAIN;
	return stream_put(st, &m->u);
}

static bool may_send(struct stream *st)
{
	return out_ended(st) || (ring_out_error(st) != -EINPROGRESS && stream_writable(st));
}

static bool all_sent(struct stream *st)
{
	__atomic_store_n(&st->ring->out_full, 1, __ATOMIC_SEQ_CST);
	return out_ended(st) || !stream_unsent(st);
}

/* The mark goes behind what was written before. */
static s64 send_urgent(struct socket *s, struct msg *m, u64 deadline)
{
	struct stream *st = stream_of(s);
	long err = m->u.nowait && !all_sent(st) ? -EAGAIN : 0;

	if (!err)
		err = waited(wait_event(&st->wait, all_sent(st), deadline), s->sndtimeo);
	m->addr_len = m->ctl_len = 0;
	return err ? err : host_sendto(s, m);
}

s64 stream_sendmsg(struct socket *s, struct msg *m)
{
	struct stream *st = stream_of(s);
	u64 deadline = sock_deadline(s->sndtimeo);
	s64 sum = 0, n = 0;

	if (m->flags & MSG_FASTOPEN) {
		n = m->addr_len ? stream_connect(s, m->addr, m->addr_len, m->u.nowait) : -EDESTADDRREQ;
		if (n)
			return n;
	}
	if (!READ_ONCE(st->ring) || st->listening)
		return -EPIPE;
	if (m->flags & MSG_OOB)
		return send_urgent(s, m, deadline);
	while (m->u.resid) {
		n = try_put(st, m);
		if (n > 0) {
			sum += n;
			continue;
		}
		if (n != -EAGAIN || m->u.nowait)
			break;
		n = waited(wait_event(&st->wait, may_send(st), deadline), s->sndtimeo);
		if (n)
			break;
	}
	return sum ? sum : n;
}
