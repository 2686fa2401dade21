/* SPDX-License-Identifier: Apache-2.0 */
/* $NOTIFY_SOCKET: the container's service manager is told that it is ready. */
#ifndef CALLGATE_VM_NOTIFY_H
#define CALLGATE_VM_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#define NOTIFY_DIR  "/run/notify" /* in the container */
#define NOTIFY_PATH NOTIFY_DIR "/notify.sock"

struct notify {
	int fd;     /* a datagram socket, connected to the host's; 0: there is none */
	pid_t main; /* named as the service's main process; 0: it stays who it is */
	bool told;
};

/* A message of the container. Any thread. 0 or -errno. */
int notify_message(struct notify *n, const char *text);

#endif
