/* SPDX-License-Identifier: Apache-2.0 */
/* The container's sockets, and what happens to them, for clients of the control socket. */
#ifndef CALLGATE_VM_CONNECTIONS_H
#define CALLGATE_VM_CONNECTIONS_H

#include <pthread.h>

#include "call/policy_sock.h"
#include "call/server.h"
#include "vm/control.h"

#define CONNECTION_WATCHERS 16

struct connection_log {
	int fd; /* poll it for input, then call connections_take() */
	struct pv_server *server;
	const char *container;
	struct control_client *watchers[CONNECTION_WATCHERS];
	pthread_mutex_t lock; /* of what follows */
	bool watched;
	json_t *queue; /* an array */
	unsigned int lost;
};

/* 0 or -errno */
int connections_init(struct connection_log *log, const char *container);

/* Any thread. Nothing is kept unless somebody watches. */
void connections_note(struct connection_log *log, enum connection_event what, const struct pv_connection *c);
void connections_note_policy(struct connection_log *log, const struct policy_event *event);

/* Sends what was noted to those who watch. */
void connections_take(struct connection_log *log);

/* {"cmd":"connections","from":0}: {"connections":[...],"next":N}; next 0: that was all */
void connections_list(struct connection_log *log, struct control_client *client, json_t *request);
/* {"cmd":"connection-events"}: {"result":0}, then {"type":"connection"|"policy","data":{...}} for each */
void connections_watch(struct connection_log *log, struct control_client *client);

#endif
