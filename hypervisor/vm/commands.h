/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket answers: one row per command in commands.c. */
#ifndef CALLGATE_VM_COMMANDS_H
#define CALLGATE_VM_COMMANDS_H

#include <stdbool.h>

#include "vm/connections.h"
#include "vm/control.h"
#include "vm/counters.h"
#include "vm/events.h"
#include "vm/trace.h"
#include "vm/vm.h"

/* What commands work on: the context of the control socket. */
struct command_ctx {
	struct vm_events *events;
	struct connection_log *connections; /* NULL: nothing is known of them */
	struct vm_trace *trace; /* NULL: this VM can't be traced */
	/* A snapshot of what the guest counts; NULL: this VM keeps no counts. */
	const struct vm_counters *(*counters)(void *vm);
	/* How often virtual CPUs have left the guest. NULL: there are none. */
	json_t *(*exits)(void *vm);
	/* What virtual CPUs do, as text. NULL: there are none. */
	json_t *(*cpus)(void *vm);
	void (*has_started)(void *vm);
	/* Ends the VM: the container could not be started. */
	void (*fail)(void *vm, const char *why);
	/* Fills in ncpus and mem_limit as they are now. */
	void (*limits)(void *vm, struct pv_event *event);
	void *vm;
	const struct vm_config *cfg;
	bool booted;
	bool started;        /* pid 1 runs its program, or is about to */
	struct start *start; /* while it is being started: start.c */
	unsigned int execs;  /* processes of "exec" that have not ended */
};

extern const struct control_command vm_commands[];

/*
 * Posts an event without a process. Its result is the client's answer: {"result":N}, or an error.
 * The client may hang up before.
 */
void command_post(struct control_client *client, const struct pv_event *event);

/* exec.c: "exec", and a "signal" on its connection, which is for its process; false: it has none. */
void command_exec(struct control_client *client, json_t *request);
bool exec_signal(struct control_client *client, int sig, bool terminal);

#endif
