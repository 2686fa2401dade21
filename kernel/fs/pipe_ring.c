/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of bytes in a pipe: copy in and out, growth, packet boundaries. */
#include "pipe_impl.h"

struct packet {
	struct list_head node;
	u64 start, end;
};

int pipe_ring_resize(struct pipe *p, u32 cap)
{
	u8 *buf = kmalloc(cap);

	if (!buf)
		return -ENOMEM;
	guard(&p->rd_lock);
	for (u64 at = p->head; at < p->tail;) {
		size_t from = at & (p->cap - 1), to = at & (cap - 1);
		size_t n = min((size_t)p->cap - from, (size_t)cap - to);

		n = min(n, (size_t)(p->tail - at));
		memcpy(buf + to, p->buf + from, n);
		at += n;
	}
	kfree(p->buf);
	p->buf = buf;
	p->cap = cap;
	return 0;
}

int pipe_ring_fit(struct pipe *p, size_t n)
{
	size_t want = pipe_used(p) + n;
	u32 cap = p->cap ? p->cap : PAGE_SIZE;

	if (want <= p->cap)
		return 0;
	while (cap < want)
		cap *= 2;
	return pipe_ring_resize(p, cap);
}

s64 pipe_ring_put(struct pipe *p, struct uio *u, size_t n)
{
	size_t at = p->tail & (p->cap - 1), first = min(n, (size_t)p->cap - at);
	s64 done = uio_get(u, p->buf + at, first);
	s64 rest;

	if (done == (s64)first && n > first) {
		rest = uio_get(u, p->buf, n - first);
		if (rest > 0)
			done += rest;
	}
	return done;
}

/*
 * The bytes that may be read at once, up to n: all, or to the next boundary. *packet: they are
 * one packet's.
 */
static size_t readable(struct pipe *p, size_t n, struct packet **packet)
{
	size_t used = __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) - p->head;
	struct packet *first;

	*packet = NULL;
	if (likely(!__atomic_load_n(&p->npackets, __ATOMIC_ACQUIRE)) || !used)
		return min(n, used);
	guard(&p->packet_lock);
	first = list_entry(p->packets.next, struct packet, node);
	if (first->start >= p->head + used)
		return min(n, used);
	if (first->start > p->head)
		return min(n, (size_t)(first->start - p->head));
	*packet = first;
	return min(n, (size_t)(first->end - p->head));
}

static void packet_drop(struct pipe *p, struct packet *packet)
{
	guard(&p->packet_lock);
	list_del(&packet->node);
	__atomic_fetch_sub(&p->npackets, 1, __ATOMIC_RELEASE);
	kfree(packet);
}

/* n bytes are read. What of a packet did not fit the reader's buffer is lost: pipe(2), O_DIRECT. */
static void advance(struct pipe *p, struct packet *packet, size_t n)
{
	u64 head = packet ? packet->end : p->head + n;

	if (packet)
		packet_drop(p, packet);
	__atomic_store_n(&p->head, head, __ATOMIC_RELEASE);
}

s64 pipe_ring_take(struct pipe *p, struct uio *u)
{
	struct packet *packet;
	size_t n = readable(p, u->resid, &packet);
	size_t at = p->head & (p->cap - 1), first = min(n, (size_t)p->cap - at);
	s64 done, rest;

	if (!n)
		return 0;
	done = uio_put(u, p->buf + at, first);
	if (done < 0)
		return done;
	if (done == (s64)first && n > first) {
		rest = uio_put(u, p->buf, n - first);
		if (rest > 0)
			done += rest;
	}
	advance(p, packet, done);
	return done;
}

void pipe_ring_drop(struct pipe *p, size_t n)
{
	struct packet *packet;

	n = readable(p, n, &packet);
	advance(p, packet, n);
}

size_t pipe_peek(struct pipe *p, void *to, size_t skip, size_t n)
{
	struct packet *packet;
	size_t have, done = 0;

	guard(&p->rd_lock);
	have = readable(p, skip + n, &packet);
	n = have > skip ? have - skip : 0;
	while (done < n) {
		size_t at = (p->head + skip + done) & (p->cap - 1);
		size_t chunk = min(n - done, (size_t)p->cap - at);

		memcpy((u8 *)to + done, p->buf + at, chunk);
		done += chunk;
	}
	return n;
}

/*
 * Before the bytes are published by moving tail: a reader that sees them must see their
 * boundary.
 */
int pipe_packet_add(struct pipe *p, u64 start, u64 end)
{
	struct packet *packet = kmalloc(sizeof(*packet));

	if (!packet)
		return -ENOMEM;
	packet->start = start;
	packet->end = end;
	guard(&p->packet_lock);
	list_add_tail(&packet->node, &p->packets);
	__atomic_fetch_add(&p->npackets, 1, __ATOMIC_RELEASE);
	return 0;
}

void pipe_packets_free(struct pipe *p)
{
	struct packet *packet, *tmp;

	list_for_each_safe(packet, tmp, &p->packets, node) kfree(packet);
}
