/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h: the data rings of stream sockets (abi/ring.h), for machines whose guests get no descriptors.
 *
 * A stream joins a socket's handle and a data ring. Whoever learns that one of the two has moved pumps: the main
 * server thread when the guest rings, a thread of this module when the host's socket is ready. One lock covers all
 * streams; nothing waits under it.
 */
#ifndef CALLGATE_CALL_STREAM_H
#define CALLGATE_CALL_STREAM_H

#include "call/handle.h"
#include "ring.h"

struct pv_server;
struct call;
struct stream;

struct streams {
	pthread_mutex_t lock;
	struct pv_server *srv; /* NULL: descriptors are donated */
	struct stream *by_ref[DATA_RINGS];
	struct stream *list; /* all of them, those that only have bytes left to send included */
	struct stream *dead; /* freed by the thread, when no event can name them any more */
	u32 ndead;
	u32 nrests; /* streams that only have bytes left to send */
	int epoll_fd, wake_fd;
	pthread_t thread;
	bool running, stopping;
	u32 bells; /* of the ring header, as last seen: the main thread's */
};

/* The thread is a child of the calling one, and confined as it is. 0 or -errno. */
int streams_start(struct pv_server *srv);
/* Sends what guests had written, for a moment; then ends the thread and all streams. */
void streams_stop(struct pv_server *srv);

/* Has the guest rung for a data ring? Then serve it. */
bool streams_pending(struct pv_server *srv);
void streams_serve(struct pv_server *srv);

enum stream_kind { STREAM_CONNECTING, STREAM_CONNECTED, STREAM_LISTENING };

/* Are ref and evtchn of a request well, for the socket h (NULL: a new one)? 0, -errno, or a violation. */
int stream_decode_ref(struct call *c, const struct pv_handle *h, u32 ref, u32 evtchn);
/* The ring is the socket's from now on. A stream that it had before is over. 0 or -ENOMEM. */
int stream_attach(struct pv_server *srv, struct pv_handle *h, u32 ref, enum stream_kind kind);
/* The socket is not connected any more. */
void stream_detach(struct pv_server *srv, struct pv_handle *h);
/* PV_SHUTDOWN: true if it is done with, now or when all is sent. */
bool stream_shutdown(struct pv_server *srv, struct pv_handle *h, int how);
/* PV_RELEASE: the ring is free when this returns. true: the stream keeps the socket until all is sent. */
bool stream_release(struct pv_server *srv, struct pv_handle *h);

#endif
