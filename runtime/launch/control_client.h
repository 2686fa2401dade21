/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a running hypervisor, by its control socket (hypervisor/vm/control.h). */
#ifndef CALLGATE_RUNTIME_LAUNCH_CONTROL_CLIENT_H
#define CALLGATE_RUNTIME_LAUNCH_CONTROL_CLIENT_H

#include <jansson.h>

#include "lib/error.h"

/* A descriptor, or -errno: "container does not exist: ID", "container not running: ID". */
int must_check control_connect(const char *root, const char *id, struct error *err);

/* Sends a line; the message is taken over. The descriptors go along with it. */
int must_check control_request(int fd, json_t *message, const int *fds, unsigned int n_fds, struct error *err);

/*
 * The next line from the hypervisor, to be released with json_decref(). NULL with err set: code is the
 * answer's own if it said what went wrong, ECONNRESET if the hypervisor is gone.
 */
json_t *control_reply(int fd, struct error *err);

/* Both, on a connection of its own. */
json_t *control_ask(const char *root, const char *id, json_t *message, struct error *err);
/*
 * For so many ms at most: for what the guest kernel has to answer, which may be anybody's by now. An engine that waits for it can
 * not end the container meanwhile.
 */
json_t *control_ask_for(const char *root, const char *id, json_t *message, int ms, struct error *err);
#define CONTROL_GUEST_MS 5000

void control_unref(json_t **value); /* for cleanup() */

#endif
