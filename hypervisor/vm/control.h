/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's control socket, <state folder>/control.sock. Requests and answers are
 * lines of JSON: {"cmd":"syscalls"}; descriptors come by SCM_RIGHTS along with the line
 * they belong to. {"error":"...","code":ERRNO} is the answer to what can't be done. A
 * connection may stay open; its next request is looked at when the last one has been answered.
 *
 * It is a state machine in the caller's event loop: nothing here blocks. Buffers are
 * bounded, and a client that does not read is cut off. Only the folder's owner and root can connect.
 */
#ifndef CALLGATE_VM_CONTROL_H
#define CALLGATE_VM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

#define CONTROL_SOCKET "control.sock"

#define CONTROL_REQUEST_MAX (1u << 20) /* bytes of a line */
#define CONTROL_OUTPUT_MAX  (1u << 20) /* bytes that a client has not taken yet */
#define CONTROL_CLIENTS_MAX 1024
#define CONTROL_FDS_MAX     253 /* of a request: the host's SCM_MAX_FD */

struct control_client;

struct control_command {
	const char *name; /* NULL ends a table */
	/* Answers at once or later, exactly once. */
	void (*run)(struct control_client *client, json_t *request);
};

struct control {
	int fd;        /* an epoll instance: poll it for input, then call control_serve() */
	int listen_fd; /* registered there */
	const struct control_command *commands;
	void *ctx;     /* the commands' */
	struct control_client *clients; /* the newest first */
	unsigned int n_clients;
};

/* While the host's paths are still visible: before container_enter(). */
int must_check control_listen(struct control *control, const char *state_dir,
			      struct error *err);

/* Serves whoever is there. Never blocks. */
void control_serve(struct control *control);

void control_close(struct control *control);
/* The same, when it is too late to serve anybody: nobody's hangup() is called. */
void control_abandon(struct control *control);

/* ---- for commands ---- */

void *control_ctx(const struct control_client *client);

/* The answer; the reply is taken over. If the client is cut off by it, its memory stays for the caller's caller. */
void control_answer(struct control_client *client, json_t *reply);
void control_fail(struct control_client *client, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A further message, on a connection that had its answer. */
void control_send(struct control_client *client, json_t *message);
/* The connection ends when the client has taken what was sent. */
void control_finish(struct control_client *client);

/* The descriptors that came with the request. They are closed with its answer, unless taken over. */
const int *control_fds(const struct control_client *client, unsigned int *n);
void control_fds_taken(struct control_client *client);

/* Called once, when the client hangs up or is cut off; not after control_finish(). fn may be NULL. */
void control_on_hangup(struct control_client *client, void (*fn)(void *arg), void *arg);
/* Does somebody wait for the client's end already? Then the request has failed: a connection is one thing's life line. */
bool control_engaged(struct control_client *client);
/* The arg that was given with this fn; NULL if it was another. */
void *control_hangup_arg(const struct control_client *client, void (*fn)(void *arg));

#endif
