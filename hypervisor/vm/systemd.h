/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to systemd, by D-Bus. Its library, and all that this pulls in, is loaded when it
 * is needed, and in a process of its own that ends with the answer: neither the runtime on a
 * machine without systemd nor a hypervisor has anything of it.
 */
#ifndef CALLGATE_VM_SYSTEMD_H
#define CALLGATE_VM_SYSTEMD_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "lib/error.h"

struct systemd {
	sd_bus *bus;
	__typeof__(sd_bus_open_system) *open_system;
	__typeof__(sd_bus_open_user) *open_user;
	__typeof__(sd_bus_message_new_method_call) *new_call;
	__typeof__(sd_bus_message_append) *append;
	__typeof__(sd_bus_message_append_array) *append_array;
	__typeof__(sd_bus_message_open_container) *open;
	__typeof__(sd_bus_message_close_container) *close;
	__typeof__(sd_bus_message_read) *read;
	__typeof__(sd_bus_call) *call;
	__typeof__(sd_bus_match_signal) *match_signal;
	__typeof__(sd_bus_process) *process;
	__typeof__(sd_bus_wait) *wait;
};

/* Runs fn, connected to the machine's or the user's own systemd. */
int must_check systemd_do(bool user, int (*fn)(struct systemd *sd, const void *arg, struct error *err),
			  const void *arg, struct error *err);

/* A call of the manager; add its arguments. NULL: no memory. */
sd_bus_message *systemd_method(struct systemd *sd, const char *method);

/* Makes the call and waits for its answer. name: of D-Bus' error, if not NULL. */
int must_check systemd_call(struct systemd *sd, sd_bus_message *m, sd_bus_message **answer,
			    char name[128], struct error *err);

/* The same for calls that begin a job: until the job is done, and done well. */
int must_check systemd_job(struct systemd *sd, sd_bus_message *m, char name[128],
			   struct error *err);

#endif
