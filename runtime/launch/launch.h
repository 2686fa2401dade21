/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a hypervisor process for a container, and staying with it until it ends. */
#ifndef CALLGATE_RUNTIME_LAUNCH_LAUNCH_H
#define CALLGATE_RUNTIME_LAUNCH_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cmd/cmd.h"
#include "launch/console.h"
#include "oci/spec.h"

/* From the hypervisor process to us, a packet each. */
#define LAUNCH_READY  'R' /* the guest's init runs; this byte is the whole packet */
#define LAUNCH_FAILED 'E' /* the process is about to end */

struct launch_message {
	char kind;
	struct error error; /* of LAUNCH_FAILED */
};

struct launch {
	const struct globals *globals;
	struct oci_spec *spec; /* id is set */
	bool detach;
	bool keep;
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */

	/* launch_run()'s own */
	struct console console;
	pid_t pid;     /* the hypervisor's */
	int life_fd;   /* open as long as we live: the hypervisor watches the other end */
	int ready_fd;  /* messages from the hypervisor, see struct launch_message */
	int signal_fd;
	bool ready;
	sigset_t old_mask;
};

/*
 * Runs the container. Returns its exit status (detached: 0, as soon as it runs), or -errno.
 * Whatever happened, nothing of the container is left then, unless it was to be kept.
 */
int must_check launch_run(struct launch *launch, struct error *err);

/*
 * Closes descriptors we were started with and know nothing of: the hypervisor would keep
 * them open for as long as the container runs. To be called before anything is opened.
 */
void launch_close_inherited(void);

/* The parts: fork (start.c), and wait (supervise.c). */
int must_check launch_start(struct launch *launch, struct error *err);
int must_check launch_supervise(struct launch *launch, struct error *err);

/*
 * Writes the state, and the pid file if one is wanted. In the hypervisor process, so that both
 * are there before anything runs in the container.
 */
int must_check launch_announce(const struct launch *launch, struct error *err);

/* The signals that are passed on to the guest's init. */
void launch_signals(sigset_t *set);

#endif
