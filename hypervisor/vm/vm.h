/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor process: from a specification to a running virtual machine, and its end. */
#ifndef CALLGATE_VM_VM_H
#define CALLGATE_VM_VM_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/error.h"
#include "oci/spec.h"
#include "vm/machine.h"

struct vm_config {
	const struct oci_spec *spec; /* with id, bundle and linux_.cgroups_path set */
	const char *id;
	const char *bundle;    /* or NULL */
	const char *state_dir; /* the host's path: gone after container_enter() */
	const char *states_dir; /* the folder that it is in */
	const char *hook_state; /* what startContainer hooks read; NULL if there are none */
	pid_t pid;             /* the host's number of this process */
	unsigned int n_fds;    /* descriptors 0, 1 ... of this process are the guest's */
	bool debug;
	enum machine machine;
	bool data_rings;       /* stream sockets are not donated to the guest (call/server.h) */
	bool in_cgroup;        /* the process was cloned into that of version 2, and its limits are set */
	bool start_at_once;    /* when it is created; LAUNCH_READY is for those who do not wait for its end */
	bool detach;           /* nobody waits: from LAUNCH_READY on life_fd does not count */
	bool keep;             /* leave the state and the cgroup to whoever started it */
	/*
	 * Readable or hung up when the process that waits for the VM is gone: power off, then
	 * container_leave() and remove the state.
	 */
	int life_fd;
	/*
	 * A socket. One byte, 'R', is sent when the container is created; a failure is reported
	 * there by the caller.
	 */
	int ready_fd;
	int notify_fd;         /* connected to the host's $NOTIFY_SOCKET; 0: there is none */
	const struct policies *policies; /* of connections: call/policy.h */
	int policy_log;                  /* where they are told of; -1: nowhere */
	/* See struct container_stages; NULL: nothing to do. */
	int (*namespaces_made)(void *ctx, struct error *err);
	void *ctx;
};

/*
 * Runs the VM in the calling process, and does not return before it is off. Signals that are for
 * the guest's init come to this process: all are blocked on entry. Returns the exit status, 0 to
 * 255: that of the guest's init, 128 + n if signal n killed it. If err is set, too, the VM did not
 * end by itself (docs/architecture.md, "Ends"). Or -errno with err set: it was never created.
 */
int must_check hypervisor_main(const struct vm_config *cfg, struct error *err);

#endif
