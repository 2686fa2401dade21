/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data rings: bytes between a stream's ring and its socket. The guest's indices are read once for each use, and
 * one that cannot be ends the VM; in_prod and out_cons are never read back.
 */
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call/sock.h"
#include "call/stream_impl.h"

/* Rings with a higher number give their memory back when they are released. */
#define RINGS_KEPT 64u

/* ---- telling the guest ---- */

static void ring_guest(struct stream *s)
{
	struct ring_header *ring = s->srv->ring;
	u32 bit = 1u << (s->ref % 32);

	if (!s->ref || (__atomic_fetch_or(&ring->guest_work[s->ref / 32], bit, __ATOMIC_SEQ_CST) & bit))
		return;
	__atomic_fetch_add(&ring->guest_bells, 1, __ATOMIC_SEQ_CST);
	futex_wake(&ring->guest_bells);
}

static void bad_index(struct stream *s, const char *which)
{
	char why[80];

	snprintf(why, sizeof(why), "data ring %u: %s: index out of range", s->ref, which);
	s->in_done = s->out_done = true;
	serve_violation(s->srv, why);
}

static void end_in(struct stream *s, int why)
{
	s->in_done = true;
	__atomic_store_n(&s->ring->in_error, why, __ATOMIC_RELEASE);
	ring_guest(s);
}

static void end_out(struct stream *s, int why)
{
	s->out_done = true;
	s->out_wait = false;
	__atomic_store_n(&s->ring->out_error, why, __ATOMIC_RELEASE);
	ring_guest(s);
}

/* ---- moving bytes ---- */

static int pieces(struct iovec iov[2], u8 *base, u32 from, u32 len)
{
	u32 at = from % DATA_RING_SIZE;
	u32 first = len < DATA_RING_SIZE - at ? len : DATA_RING_SIZE - at;

	iov[0] = (struct iovec){ base + at, first };
	iov[1] = (struct iovec){ base, len - first };
	return len > first ? 2 : 1;
}

/* Bytes, or -errno. */
static int transfer(const struct stream *s, u8 *base, u32 from, u32 len, bool send)
{
	struct iovec iov[2];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = pieces(iov, base, from, len) };
	ssize_t n;

	if (send)
		n = sendmsg(s->h->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		n = recvmsg(s->h->fd, &msg, MSG_DONTWAIT);
	return n < 0 ? -errno : (int)n;
}

void stream_pump_out(struct stream *s)
{
	u32 prod = __atomic_load_n(&s->ring->out_prod, __ATOMIC_ACQUIRE), len = prod - s->out_cons;
	int n = 0;

	if (s->out_done)
		return;
	if (len > DATA_RING_SIZE) {
		bad_index(s, "out_prod");
		return;
	}
	if (len)
		n = transfer(s, s->out, s->out_cons, len, true);
	if (n < 0 && n != -EAGAIN) {
		end_out(s, n);
		return;
	}
	if (n > 0) {
		s->out_cons += (u32)n;
		__atomic_store_n(&s->ring->out_cons, s->out_cons, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&s->ring->out_full, 0, __ATOMIC_SEQ_CST))
			ring_guest(s);
	}
	s->out_wait = s->out_cons != prod;
	if (s->shut && !s->out_wait) {
		shutdown(s->h->fd, SHUT_WR);
		s->out_done = true;
	}
}

/* Room in the ring for what the socket has; 0: none, or the guest has made a mess of it. */
static u32 in_room(struct stream *s)
{
	u32 used = s->in_prod - __atomic_load_n(&s->ring->in_cons, __ATOMIC_SEQ_CST);

	if (used <= DATA_RING_SIZE)
		return DATA_RING_SIZE - used;
	bad_index(s, "in_cons");
	return 0;
}

/* ---- urgent data ---- */

static void urgent_came(struct stream *s)
{
	u8 byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool apart = recvmsg(s->h->fd, &msg, MSG_OOB | MSG_DONTWAIT) == 1;

	s->urgent = true;
	s->at_mark = false;
	s->in_line = !apart;
	__atomic_store_n(&s->ring->in_urgent, apart ? DATA_RING_URGENT | byte : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->ring->in_urgents, ++s->urgents, __ATOMIC_RELEASE);
	ring_guest(s);
}

/* The socket's reads stop at a mark, too: what was read last ends there. The guest knows before it sees what is next to it. */
static void look_for_mark(struct stream *s)
{
	int here = 0;

	if (s->at_mark || ioctl(s->h->fd, SIOCATMARK, &here) < 0 || !here)
		return;
	s->at_mark = true;
	__atomic_store_n(&s->ring->in_mark, s->in_prod, __ATOMIC_RELAXED);
	__atomic_store_n(&s->ring->in_marks, s->urgents, __ATOMIC_RELEASE);
}

static void check_urgent(struct stream *s)
{
	struct pollfd p = { .fd = s->h->fd, .events = POLLPRI };

	if (!s->in_line && poll(&p, 1, 0) > 0 && p.revents & POLLPRI)
		urgent_came(s);
}

static void pump_in(struct stream *s)
{
	u32 room = s->in_done ? 0 : in_room(s);
	int n;

	if (!room && !s->in_done) {
		/* The guest moves in_cons and then looks at in_full: we do both in the other order. */
		__atomic_store_n(&s->ring->in_full, 1, __ATOMIC_SEQ_CST);
		room = in_room(s);
	}
	s->in_wait = !room;
	if (!room)
		return;
	if (s->urgent)
		look_for_mark(s);
	n = transfer(s, s->in, s->in_prod, room, false);
	if (n > 0) {
		s->urgent = s->urgent && !s->at_mark; /* else it is behind us */
		s->in_line = s->in_line && s->urgent;
		s->in_prod += (u32)n;
		if (s->urgent) /* it may end there */
			look_for_mark(s);
		__atomic_store_n(&s->ring->in_prod, s->in_prod, __ATOMIC_RELEASE);
		ring_guest(s);
	} else if (n == 0) {
		end_in(s, -ENOTCONN);
	} else if (n != -EAGAIN) {
		/* Whoever reads of it may write at once. */
		if (!s->out_done)
			end_out(s, n);
		end_in(s, n);
	}
}

/* ---- what the socket says ---- */

static void connect_ended(struct stream *s)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->h->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) /* or else the next attempt would be told that this one has failed */
		connect(s->h->fd, &none, sizeof(none));
	s->kind = STREAM_CONNECTED;
	s->in_done = s->out_done = err != 0;
	s->h->connected = err == 0;
	__atomic_store_n(&s->ring->in_error, -err, __ATOMIC_RELEASE);
	__atomic_store_n(&s->ring->out_error, -err, __ATOMIC_RELEASE);
	ring_guest(s);
}

static void connection_arrived(struct stream *s)
{
	if (s->in_wait)
		return;
	s->in_wait = true;
	__atomic_store_n(&s->ring->in_prod, ++s->in_prod, __ATOMIC_RELEASE);
	ring_guest(s);
}

/* One connection at a time is told of; when the guest has seen that there are no more, the next one is. */
static void listen_again(struct stream *s)
{
	u32 behind = s->in_prod - __atomic_load_n(&s->ring->in_cons, __ATOMIC_ACQUIRE);

	if (behind > 1)
		bad_index(s, "in_cons");
	s->in_wait = behind != 0;
}

/* What was left to send when the guest let go. */
static void pump_rest(struct stream *s)
{
	struct iovec iov = { s->rest + s->rest_sent, s->rest_len - s->rest_sent };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = sendmsg(s->h->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		s->rest_sent += (size_t)n;
	s->out_done = (n < 0 && errno != EAGAIN) || s->rest_sent == s->rest_len;
}

void stream_ready(struct stream *s, u32 events)
{
	if (s->rest) {
		pump_rest(s);
	} else if (s->kind == STREAM_CONNECTING) {
		connect_ended(s);
	} else if (s->kind == STREAM_LISTENING) {
		connection_arrived(s);
	} else {
		if (events & EPOLLPRI)
			urgent_came(s);
		stream_pump_out(s);
		pump_in(s);
	}
}

void stream_rung(struct stream *s)
{
	if (s->kind == STREAM_LISTENING) {
		listen_again(s);
	} else if (s->kind == STREAM_CONNECTED) {
		stream_pump_out(s);
		if (s->in_wait) { /* else the socket itself tells */
			check_urgent(s);
			pump_in(s);
		}
	}
}

u32 stream_wants(const struct stream *s)
{
	if (s->rest)
		return s->out_done ? 0 : EPOLLOUT;
	if (s->kind == STREAM_CONNECTING)
		return EPOLLOUT;
	if (s->kind == STREAM_LISTENING)
		return s->in_wait ? 0 : EPOLLIN;
	return (s->in_done || s->in_wait ? 0 : s->in_line ? EPOLLIN : EPOLLIN | EPOLLPRI) | (s->out_done || !s->out_wait ? 0 : EPOLLOUT);
}

/* ---- beginning and end ---- */

void stream_set_up(struct stream *s, u32 ref, enum stream_kind kind)
{
	u8 *page = s->srv->data_rings + (size_t)ref * DATA_RING_STRIDE;
	int error = kind == STREAM_CONNECTING ? -EINPROGRESS : 0;

	s->ref = ref;
	s->kind = kind;
	s->ring = (struct data_ring *)page;
	s->in = page + 0x1000;
	s->out = s->in + DATA_RING_SIZE;
	*s->ring = (struct data_ring){ .in_error = error, .out_error = error, .ring_order = DATA_RING_ORDER };
}

void stream_leave_ring(struct stream *s)
{
	if (s->ref >= RINGS_KEPT)
		madvise(s->ring, DATA_RING_STRIDE, MADV_REMOVE);
	s->ref = 0;
	s->ring = NULL;
}

bool stream_save_rest(struct stream *s)
{
	struct iovec iov[2];
	u32 len;

	if (s->kind != STREAM_CONNECTED || s->out_done || s->h->reset)
		return false;
	stream_pump_out(s);
	if (s->out_done || !s->out_wait)
		return false;
	len = __atomic_load_n(&s->ring->out_prod, __ATOMIC_ACQUIRE) - s->out_cons;
	if (len > DATA_RING_SIZE)
		return false;
	s->rest = malloc(len);
	if (!s->rest)
		return false;
	s->rest_len = len;
	pieces(iov, s->out, s->out_cons, len);
	memcpy(s->rest, iov[0].iov_base, iov[0].iov_len);
	memcpy(s->rest + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	return true;
}
