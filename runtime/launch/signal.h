/* SPDX-License-Identifier: Apache-2.0 */
/* Signals for containers that somebody else started. */
#ifndef CALLGATE_RUNTIME_LAUNCH_SIGNAL_H
#define CALLGATE_RUNTIME_LAUNCH_SIGNAL_H

#include "oci/state.h"

/* To the container's init, or to all its processes. SIGKILL ends it in any case, frozen or not. */
int must_check container_signal(const char *root, const struct container_state *state, int sig,
				bool all, struct error *err);

/* Kills the container, also one that is being created, and waits until its hypervisor is dead. */
int must_check container_kill(const struct container_state *state, struct error *err);

#endif
