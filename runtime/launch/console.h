/* SPDX-License-Identifier: Apache-2.0 */
/* The container's terminal: a pty of the host, between the hypervisor and our own stdio. */
#ifndef CALLGATE_RUNTIME_LAUNCH_CONSOLE_H
#define CALLGATE_RUNTIME_LAUNCH_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "lib/error.h"
#include "oci/spec.h"

struct console {
	bool used;
	int master;
	int slave;
	bool raw; /* our own terminal has been changed, and saved is what it was */
	struct termios saved;
	bool input_ended;
	size_t pending; /* bytes of buf that the master has not taken yet */
	char buf[4096];
};

/* Makes the pty, with the size of our terminal or the configured one. */
int must_check console_open(struct console *c, const struct oci_process *process,
			    struct error *err);

/* In the hypervisor process: the slave becomes stdio, and its controlling terminal. */
int must_check console_attach(struct console *c, struct error *err);

/* Sends the master to whoever listens on that socket, as runc does. */
int must_check console_send(struct console *c, const char *path, struct error *err);

/* Sends a descriptor, under a name, to the AF_UNIX stream socket at path. option: for errors. */
int must_check socket_send_fd(const char *path, const char *option, const char *name, int fd,
			      struct error *err);

/* Relaying, in the foreground: our terminal goes raw until console_close(). */
void console_start(struct console *c);
/* Fills in up to two entries. Returns how many. */
unsigned int console_poll(const struct console *c, struct pollfd *fds);
void console_relay(struct console *c, const struct pollfd *fds, unsigned int n);
/* The size of our terminal has changed. */
void console_resize(struct console *c);
/* Writes out what is left, and gives our terminal back. */
void console_close(struct console *c);

#endif
