/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets.h: what a container's inet sockets are doing, and its unix sockets that are the host's, for `callgate connections` and `callgate events`. Addresses,
 * states and counts are the host's; whose socket it is, the guest says (struct pv_who).
 */
#ifndef CALLGATE_CALL_SOCKETS_H
#define CALLGATE_CALL_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "pvcall.h"

struct call;
struct pv_handle;
struct pv_server;

enum connection_event { CONNECTION_OPENED, CONNECTION_ACCEPTED, CONNECTION_LISTENING, CONNECTION_CLOSED };

/* What is remembered of a socket. */
struct sock_info {
	u64 since; /* ns, CLOCK_MONOTONIC */
	u32 pid, uid; /* in the guest */
	bool accepted;
	char program[]; /* nothing but printable ASCII */
};

struct pv_connection {
	u32 handle;
	const struct sock_info *info;
	u64 age; /* ns */
	int domain, type, protocol;
	struct sockaddr_storage local, remote; /* ss_family 0: none */
	const char *path; /* AF_UNIX: instead of addresses, as the container names it; else NULL */
	bool path_is_local; /* it is bound there, or accepted by what is; else connected to it */
	int state; /* of TCP: TCP_ESTABLISHED ...; 0: neither TCP nor a unix socket */
	u64 received, sent; /* bytes, of TCP; sent: those that have arrived. The host counts SYN and FIN as one each */
};

/* For commands: the socket is the caller's, who is told in the buffer, at that offset. */
void socket_describe(struct call *c, u32 id, u32 pid, bool accepted, size_t who_at);
/* Tells the hypervisor, if it wants to know. */
void socket_event(struct call *c, const struct pv_handle *h, enum connection_event what);

/*
 * Calls fn for each socket from handle `from` on, up to `most` of them. Returns the handle to go on with, 0 at the end.
 * Any thread but the server's own.
 */
u32 pv_server_connections(struct pv_server *server, u32 from, unsigned int most,
			  void (*fn)(void *arg, const struct pv_connection *c), void *arg);
/* Are pv_server_config.connection_event calls wanted? None at first. Any thread. */
void pv_server_watch_connections(struct pv_server *server, bool wanted);

#endif
