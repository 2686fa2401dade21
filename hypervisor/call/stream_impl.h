/* SPDX-License-Identifier: Apache-2.0 */
/* stream_impl.h: between stream.c, which moves the bytes, and streams.c, which knows all streams. */
#ifndef CALLGATE_CALL_STREAM_IMPL_H
#define CALLGATE_CALL_STREAM_IMPL_H

#include "call/server_impl.h"
#include "call/stream.h"

struct stream {
	struct pv_server *srv;
	struct pv_handle *h; /* counted */
	struct stream *next;
	enum stream_kind kind;
	u32 ref; /* 0: the guest has let go of it */
	struct data_ring *ring; /* shared with the guest, as is what in and out lead to */
	u8 *in, *out;
	u32 in_prod, out_cons; /* ours alone */
	u32 urgents; /* the same */
	u32 watched; /* EPOLL* */
	bool in_done, out_done; /* there will be no more bytes that way */
	bool in_wait; /* for room; a listening one: for the guest to accept */
	bool out_wait; /* for room in the socket */
	bool urgent; /* a mark of urgent data lies ahead */
	bool at_mark; /* ... and the guest knows where */
	bool in_line; /* its byte stays in the stream, and POLLPRI until it is read */
	bool shut; /* send a FIN when all is sent */
	bool gone;
	u8 *rest; /* ... that the guest had written before it let go */
	size_t rest_len, rest_sent;
	u64 give_up; /* when nobody has taken it by then; ns */
};

/* All with the lock of the streams held. */
void stream_set_up(struct stream *s, u32 ref, enum stream_kind kind);
void stream_ready(struct stream *s, u32 events); /* the socket has something to say: EPOLLPRI counts, the rest is seen */
void stream_rung(struct stream *s); /* the guest has */
void stream_pump_out(struct stream *s);
u32 stream_wants(const struct stream *s); /* EPOLL* to be woken for */
void stream_leave_ring(struct stream *s);
/* Copies what is not sent out of the ring. false: there is nothing. */
bool stream_save_rest(struct stream *s);

#endif
