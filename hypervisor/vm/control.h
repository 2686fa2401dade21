/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's control socket, <state folder>/control.sock: a connection is one
 * request, a line of JSON such as {"cmd":"syscalls"}, and one answer, a line of JSON.
 * {"error":"..."} is the answer to what can't be done. Only the folder's owner can connect.
 */
#ifndef CALLGATE_VM_CONTROL_H
#define CALLGATE_VM_CONTROL_H

#include "lib/error.h"
#include "vm/counters.h"

#define CONTROL_SOCKET "control.sock"

struct control {
	int fd; /* listening, non-blocking: poll it for input */
	const struct vm_counters *counters; /* NULL: not known */
};

/* While the host's paths are still visible: before container_enter(). */
int must_check control_listen(struct control *control, const char *state_dir,
			      struct error *err);

/*
 * The listening socket is readable: answers whoever is there. A client that is slow is cut
 * off after a fraction of a second, as the caller's event loop waits meanwhile.
 */
void control_serve(struct control *control);

void control_close(struct control *control);

#endif
