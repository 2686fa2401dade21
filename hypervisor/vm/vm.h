/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor process: from a specification to a running virtual machine, and its end. */
#ifndef CALLGATE_VM_VM_H
#define CALLGATE_VM_VM_H

#include <stdbool.h>

#include "lib/error.h"
#include "oci/spec.h"

struct vm_config {
	const struct oci_spec *spec; /* with id, bundle and linux_.cgroups_path set */
	const char *id;
	const char *bundle;    /* or NULL */
	const char *state_dir; /* the host's path: gone after container_enter() */
	int state_fd;          /* O_PATH of the folder that state_dir is in, to remove it at the end */
	int stdio[3];          /* the guest's; the process has the same as 0, 1 and 2 */
	int log_fd;            /* --log, or -1: one JSON line per message */
	bool debug;
	bool keep;             /* leave the state and the cgroup to whoever started it */
	/*
	 * Readable or hung up when the process that waits for the VM is gone: power off, then
	 * container_leave() and remove the state. -1: the VM belongs to nobody (detached).
	 */
	int life_fd;
	/*
	 * A socket. Send one byte, 'R', when the guest's init runs (with MSG_NOSIGNAL), and leave
	 * it open: if this function fails later its caller reports that there.
	 */
	int ready_fd;
};

/*
 * Runs the VM in the calling process, and does not return before it is off. Signals that
 * are for the guest's init come to this process; SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1,
 * SIGUSR2, SIGWINCH and SIGCONT are blocked on entry. Returns the exit status, 0 to 255
 * (128 + n: init was killed by signal n), or -errno with err set: the caller reports it.
 */
int must_check hypervisor_main(const struct vm_config *cfg, struct error *err);

#endif
