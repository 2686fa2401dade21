/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets whose data goes through a data ring (ring.h): stream.c (life and connections), stream_msg.c (data),
 * stream_ring.c (the rings and their bells).
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "host_sock.h"
#include "ring.h"

struct stream {
	struct mutex connecting; /* of connect, listen: the ring is there or not */
	struct mutex in_lock, out_lock; /* of those who read, and write; may wait for user memory */
	struct waitq wait; /* woken whenever the hypervisor has moved something */
	struct data_ring *ring; /* NULL: neither connected nor listening. Once set, it stays */
	u32 ref;
	bool listening;
	bool established; /* connect() has said so */
	bool shut_out, shut_in;
	bool tells_rest; /* TCP_INQ */
	u32 urgents_seen, marks_passed; /* of those that the ring has counted */
	u32 err_told; /* the error of the ring was reported once: as Linux, what follows is the end */
};

static inline struct stream *stream_of(struct socket *s)
{
	return host_of(s)->stream;
}

static inline s32 ring_in_error(struct stream *st)
{
	return __atomic_load_n(&st->ring->in_error, __ATOMIC_ACQUIRE);
}
static inline s32 ring_out_error(struct stream *st)
{
	return __atomic_load_n(&st->ring->out_error, __ATOMIC_ACQUIRE);
}

/* stream_ring.c */
int stream_ring_get(struct stream *st); /* a ring of its own, not used yet: st->ref. 0 or -errno */
void stream_ring_put(struct stream *st); /* the hypervisor must have let go of it */
void stream_ring_use(struct stream *st); /* it is the hypervisor's, too, from now on */
u32 stream_readable(struct stream *st); /* bytes */
/* Room that is worth a write. None: the hypervisor will tell of it. */
u32 stream_writable(struct stream *st);
u32 stream_unsent(struct stream *st);
s64 stream_take(struct stream *st, struct uio *u, u32 flags); /* in_lock held. Bytes or -EFAULT */
s64 stream_put(struct stream *st, struct uio *u); /* out_lock held */
bool stream_urgent(struct stream *st); /* urgent data has come that nobody has read or passed */
u32 stream_to_mark(struct stream *st); /* bytes up to the mark of the last; ~0: none, or passed */

/* stream.c */
struct socket *stream_socket(int domain, int protocol);
int stream_connect(struct socket *s, const void *addr, u32 len, bool nowait);
int stream_take_error(struct stream *st); /* -errno, once; 0: none */

/* stream_msg.c */
s64 stream_sendmsg(struct socket *s, struct msg *m);
s64 stream_recvmsg(struct socket *s, struct msg *m);

#endif
