/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data through unix sockets. A send makes packets and puts them on the receiver's queue; they
 * charge the sender's send buffer until they are read. A writer that waits for room is woken
 * when three quarters of its buffer are free, as in Linux: one wake-up for much room.
 */
#include "task.h"
#include "unix.h"

#define STREAM_CHUNK 65536u

/* ---- packets ---- */

static struct unix_packet *packet_new(struct unix_sock *from, size_t len)
{
	struct unix_packet *p = kmalloc(sizeof(*p) + len);

	if (!p)
		return NULL;
	unix_get(from);
	p->from = from;
	p->addr = NULL;
	p->time = 0;
	p->files = NULL;
	p->charge = sizeof(*p) + len;
	p->off = 0;
	p->len = len;
	__atomic_add_fetch(&from->wmem, p->charge, __ATOMIC_SEQ_CST);
	return p;
}

/* The bytes are read: give the room back. */
static void uncharge(struct unix_packet *p)
{
	struct unix_sock *from = p->from;
	u32 after = __atomic_sub_fetch(&from->wmem, p->charge, __ATOMIC_SEQ_CST);

	if (((u64)after + p->charge) * 4 > from->sndbuf && (u64)after * 4 <= from->sndbuf)
		waitq_wake_all(&from->wr_wait, POLLOUT | POLLWRNORM | POLLWRBAND);
	p->charge = 0;
}

void unix_packet_free(struct unix_packet *p)
{
	uncharge(p);
	unix_put(p->from);
	unix_addr_put(p->addr);
	scm_files_free(p->files);
	kfree(p);
}

void unix_rx_purge(struct unix_sock *u)
{
	struct list_head all = LIST_HEAD_INIT(all);

	{
		guard(&u->lock);
		list_splice_tail(&u->rx, &all);
		u->rx_packets = 0;
		u->rx_bytes = 0;
	}
	while (!list_empty(&all)) {
		struct unix_packet *p = list_entry(all.next, struct unix_packet, node);

		list_del(&p->node);
		unix_packet_free(p);
	}
}

/* ---- sending ---- */

struct send {
	struct unix_sock *u, *to;
	struct msg *m;
	struct ucred cred;
	struct scm_files *files;
	u64 deadline;
};

static bool has_room(struct unix_sock *u)
{
	return __atomic_load_n(&u->wmem, __ATOMIC_SEQ_CST) < u->sndbuf;
}

static bool stop_sending(struct unix_sock *u)
{
	return (READ_ONCE(u->shutdown) & SEND_SHUTDOWN) || READ_ONCE(u->err);
}

static long wait_sndbuf(struct send *s)
{
	struct unix_sock *u = s->u;
	long err;

	if (has_room(u))
		return 0;
	if (s->m->u.nowait)
		return -EAGAIN;
	err = wait_event(&u->wr_wait, has_room(u) || stop_sending(u), s->deadline);
	if (err)
		return err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(u->sk.sndtimeo);
	return 0;
}

/* A packet with the next `len` bytes of the message. Waits for room. */
static struct unix_packet *make_packet(struct send *s, size_t len)
{
	struct unix_packet *p;
	bool shut = READ_ONCE(s->u->shutdown) & SEND_SHUTDOWN;
	long err = shut && s->u->sk.type == SOCK_STREAM ? -EPIPE : unix_take_error(s->u);

	if (err || shut)
		return ERR_PTR(err ? err : -EPIPE);
	err = wait_sndbuf(s);
	if (err)
		return ERR_PTR(err);
	p = packet_new(s->u, len);
	if (!p)
		return ERR_PTR(-ENOBUFS);
	p->cred = s->cred;
	if (len && uio_get(&s->m->u, p->data, len) != (s64)len) {
		unix_packet_free(p);
		return ERR_PTR(-EFAULT);
	}
	if (s->u->addr) {
		guard(&unix_table_lock);
		p->addr = unix_addr_get(s->u->addr);
	}
	p->files = s->files;
	s->files = NULL;
	return p;
}

/* The packet is the receiver's, or freed on an error; its descriptors then are back in s. */
static int deliver(struct send *s, struct unix_packet *p, u32 max_packets)
{
	struct unix_sock *to = s->to;
	bool wake = false;
	int err = 0;

	{
		guard(&to->lock);
		if (to->dead)
			err = unix_is_dgram(to) ? -ECONNREFUSED : -EPIPE;
		else if (to->shutdown & RCV_SHUTDOWN)
			err = -EPIPE;
		else if (to->rx_packets >= max_packets)
			err = -EAGAIN;
		if (!err) {
			wake = list_empty(&to->rx) || to->polled;
			if (unlikely(to->stamps))
				p->time = mc_clock(0 /* CLOCK_REALTIME */);
			list_add_tail(&p->node, &to->rx);
			to->rx_packets++;
			to->rx_bytes += p->len;
		}
	}
	if (err) {
		s->files = p->files;
		p->files = NULL;
		if (err != -EAGAIN)
			unix_packet_free(p);
		return err;
	}
	if (wake)
		waitq_wake(&to->rd_wait, POLLIN | POLLRDNORM | POLLRDBAND, 1);
	return 0;
}

static s64 send_stream(struct send *s)
{
	struct uio *io = &s->m->u;
	s64 sent = 0;

	do {
		/*
		 * Not more than half of the buffer at once: two packets keep reader and writer
		 * busy.
		 */
		size_t len = min(io->resid, (size_t)s->u->sndbuf / 2);
		struct unix_packet *p;
		int err;

		len = min(len, (size_t)STREAM_CHUNK);
		if (!len && !s->files)
			return 0;
		p = make_packet(s, len);
		err = IS_ERR(p) ? PTR_ERR(p) : deliver(s, p, ~0u);
		if (err)
			return sent ? sent : err;
		sent += len;
	} while (io->resid);
	return sent;
}

static bool dgram_room(struct unix_sock *to)
{
	return to->dead || (to->shutdown & RCV_SHUTDOWN) || to->rx_packets < UNIX_DGRAM_QUEUE;
}

static s64 send_packet(struct send *s)
{
	size_t len = s->m->u.resid;
	u32 limit = unix_is_dgram(s->u) ? UNIX_DGRAM_QUEUE : ~0u;
	struct unix_packet *p;
	long err;

	if (len > s->u->sndbuf - 32)
		return -EMSGSIZE;
	p = make_packet(s, len);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (s->to->notify) {
		err = unix_notify(p->data, p->len);
		unix_packet_free(p);
		return err ? err : (s64)len;
	}
	while ((err = deliver(s, p, limit)) == -EAGAIN) {
		p->files = s->files; /* deliver() gave them back */
		s->files = NULL;
		if (!s->m->u.nowait) {
			err = wait_event(&unix_space, dgram_room(s->to), s->deadline);
			if (!err)
				continue;
			err = err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(s->u->sk.sndtimeo);
		}
		unix_packet_free(p);
		return err;
	}
	return err ? err : (s64)len;
}

/* Who gets it, with a reference. */
static struct unix_sock *find_receiver(struct unix_sock *u, struct msg *m)
{
	struct unix_sock *to;

	if (m->addr_len && !unix_is_dgram(u)) {
		if (u->sk.type == SOCK_STREAM)
			return ERR_PTR(u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP);
		m->addr_len = 0; /* seqpacket: ignored */
	}
	if (m->addr_len) {
		to = unix_find((struct sockaddr_un *)m->addr, m->addr_len, u->sk.type);
		if (!IS_ERR(to) && !unix_may_send(u, to)) {
			unix_put(to);
			return ERR_PTR(-EPERM);
		}
		return to;
	}
	to = unix_peer_get(u);
	if (to)
		return to;
	/* The connection is over, or there never was one. */
	return ERR_PTR(u->shutdown & SEND_SHUTDOWN ? -EPIPE : -ENOTCONN);
}

s64 unix_sendmsg(struct socket *sock, struct msg *m)
{
	struct unix_sock *u = unix_of(sock);
	struct send s = { .u = u, .m = m, .deadline = sock_deadline(sock->sndtimeo) };
	s64 ret;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	s.to = find_receiver(u, m);
	if (IS_ERR(s.to))
		return unix_is_dgram(u) ? unix_host_send(u, m, PTR_ERR(s.to)) : PTR_ERR(s.to);
	ret = u->passcred && !u->addr ? unix_autobind(u) : 0;
	if (!ret)
		ret = scm_send(u, m, &s.cred, &s.files);
	if (!ret)
		ret = sock->type == SOCK_STREAM ? send_stream(&s) : send_packet(&s);
	scm_files_free(s.files);
	if (ret == -ECONNREFUSED && !m->addr_len)
		unix_detach_peer(u, false);
	unix_put(s.to);
	return ret;
}

/* ---- receiving ---- */

static bool readable(struct unix_sock *u)
{
	return !list_empty(&u->rx) || (u->shutdown & RCV_SHUTDOWN) || READ_ONCE(u->err);
}

/* The first packet; it stays there as long as read_lock is held. */
static struct unix_packet *first_packet(struct unix_sock *u)
{
	guard(&u->lock);
	return list_empty(&u->rx) ? NULL : list_entry(u->rx.next, struct unix_packet, node);
}

/* n bytes of the first packet are read. True: all of it, and it is freed. */
static bool consume(struct unix_sock *u, struct unix_packet *p, u32 n, bool whole)
{
	bool was_full;

	{
		guard(&u->lock);
		u->rx_bytes -= whole ? p->len : n;
		p->off += n;
		p->len -= n;
		if (p->len && !whole)
			return false;
		list_del(&p->node);
		was_full = u->rx_packets-- == UNIX_DGRAM_QUEUE;
	}
	unix_packet_free(p);
	if (was_full && unix_is_dgram(u))
		waitq_wake_all(&unix_space, POLLOUT | POLLWRNORM);
	return true;
}

static void copy_sender(struct msg *m, const struct unix_packet *p)
{
	if (!m->want_addr || !p->addr)
		return;
	m->addr_len = p->addr->len;
	memcpy(m->addr, &p->addr->un, p->addr->len);
}

/* Wait for something to read; read_lock is not held. 0: look again. */
static long wait_readable(struct unix_sock *u, struct msg *m, u64 deadline)
{
	long err;

	if (m->u.nowait)
		return -EAGAIN;
	err = wait_event_exclusive(&u->rd_wait, readable(u), deadline);
	if (!err)
		return 0;
	if (!list_empty(&u->rx))
		waitq_wake(&u->rd_wait, POLLIN, 1);
	return err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(u->sk.rcvtimeo);
}

/* The control messages that come with the first byte of a packet. */
static void receive_control(struct unix_sock *u, struct msg *m, struct unix_packet *p, bool peek)
{
	scm_receive_cred(u, m, &p->cred);
	if (!p->files)
		return;
	scm_receive_files(m, p->files, peek);
	if (!peek)
		p->files = NULL;
}

static s64 take_packet(struct unix_sock *u, struct msg *m, struct unix_packet *p)
{
	bool peek = m->flags & MSG_PEEK;
	u32 full = p->len;
	size_t n = min((size_t)full, m->u.resid);

	if (n && uio_put(&m->u, p->data, n) != (s64)n)
		return -EFAULT;
	copy_sender(m, p);
	if (unlikely(u->stamps))
		scm_receive_time(u, m, p->time);
	receive_control(u, m, p, peek);
	if (n < full)
		m->out_flags |= MSG_TRUNC;
	if (u->sk.type == SOCK_SEQPACKET)
		m->out_flags |= MSG_EOR;
	if (!peek)
		consume(u, p, n, true);
	return m->flags & MSG_TRUNC ? full : n;
}

static s64 recv_packet(struct unix_sock *u, struct msg *m)
{
	u64 deadline = sock_deadline(u->sk.rcvtimeo);

	for (;;) {
		struct unix_packet *p;
		long err;

		{
			guard(&u->read_lock);
			p = first_packet(u);
			if (p)
				return take_packet(u, m, p);
		}
		err = unix_take_error(u);
		if (err)
			return err;
		if ((u->shutdown & RCV_SHUTDOWN) && (u->sk.type == SOCK_SEQPACKET || !m->u.nowait))
			return 0;
		err = wait_readable(u, m, deadline);
		if (err)
			return err;
	}
}

struct stream_read {
	struct unix_sock *u;
	struct msg *m;
	s64 copied;
	u32 peek_off; /* bytes of the queue that MSG_PEEK has shown already */
	bool have_cred;
	/* Of what is copied: with SO_PASSCRED, never glue bytes of different writers. */
	struct ucred cred;
	bool stop; /* descriptors came: the call ends behind them */
};

static bool other_writer(struct stream_read *r, const struct unix_packet *p)
{
	return r->u->passcred && r->have_cred && memcmp(&r->cred, &p->cred, sizeof(r->cred));
}

/* The packet that holds the byte at peek_off, which becomes relative to it. */
static struct unix_packet *packet_at(struct stream_read *r, u32 *skip)
{
	struct unix_packet *p;

	*skip = r->peek_off;
	guard(&r->u->lock);
	list_for_each(p, &r->u->rx, node) {
		if (*skip < p->len || (!p->len && !*skip))
			return p;
		*skip -= p->len;
	}
	return NULL;
}

/* Bytes of one packet. 0: nothing there, negative: -EFAULT. */
static s64 take_stream(struct stream_read *r, struct unix_packet *p, u32 skip)
{
	bool peek = r->m->flags & MSG_PEEK;
	size_t n = min((size_t)(p->len - skip), r->m->u.resid);

	if (n && uio_put(&r->m->u, p->data + p->off + skip, n) != (s64)n)
		return -EFAULT;
	if (!r->have_cred) {
		r->have_cred = true;
		r->cred = p->cred;
		copy_sender(r->m, p);
		scm_receive_cred(r->u, r->m, &p->cred);
	}
	if (p->files) {
		r->stop = true;
		scm_receive_files(r->m, p->files, peek);
		if (!peek)
			p->files = NULL;
	}
	r->copied += n;
	if (peek)
		r->peek_off += n;
	else
		consume(r->u, p, n, false);
	return n;
}

/* What is there now. 0, or -EFAULT if nothing was copied before. */
static s64 drain_stream(struct stream_read *r)
{
	guard(&r->u->read_lock);
	while (r->m->u.resid && !r->stop) {
		u32 skip;
		struct unix_packet *p = packet_at(r, &skip);

		if (!p)
			break;
		if (other_writer(r, p)) {
			r->stop = true;
			break;
		}
		if (take_stream(r, p, skip) < 0)
			return r->copied ? 0 : -EFAULT;
	}
	return 0;
}

static s64 recv_stream(struct unix_sock *u, struct msg *m)
{
	struct stream_read r = { .u = u, .m = m };
	u64 deadline = sock_deadline(u->sk.rcvtimeo);
	long err;

	if (!m->u.resid)
		return 0;
	for (;;) {
		/* Before the look at the data. */
		bool ended = READ_ONCE(u->shutdown) & RCV_SHUTDOWN;

		err = drain_stream(&r);
		if (err)
			return err;
		if (r.stop || !m->u.resid ||
		    (r.copied && (m->flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL))
			break;
		err = r.copied ? 0 : unix_take_error(u);
		if (err || ended)
			break;
		if (READ_ONCE(u->shutdown) & RCV_SHUTDOWN)
			continue;
		err = wait_readable(u, m, deadline);
		if (err)
			break;
	}
	if (!list_empty(&u->rx) && !(m->flags & MSG_PEEK)) /* the writer woke one of us only */
		waitq_wake(&u->rd_wait, POLLIN | POLLRDNORM, 1);
	return r.copied ? r.copied : err;
}

s64 unix_recvmsg(struct socket *sock, struct msg *m)
{
	struct unix_sock *u = unix_of(sock);

	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	if (sock->type == SOCK_STREAM)
		return u->state != UNIX_CONNECTED ? -EINVAL : recv_stream(u, m);
	if (sock->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
		return -ENOTCONN;
	return recv_packet(u, m);
}
