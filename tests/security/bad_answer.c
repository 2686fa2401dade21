/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that has taken over a guest process, and puts a request of its own into the ring:
 * done N RESULT, exited N STATUS (of event N), take N INDEX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "ring.h"

#define SLOT (RING_SLOTS - 1) /* the kernel takes the first that is free */

static struct pv_request request(char **argv)
{
	unsigned long event = strtoul(argv[2], NULL, 0), value = strtoul(argv[3], NULL, 0);
	struct pv_request r = { .req_id = SLOT };

	if (!strcmp(argv[1], "take")) {
		r.cmd = PV_TAKE_FD;
		r.u.handle = (struct pv_req_handle){ .id = MAX_HANDLES - 1, .off = event, .len = value };
		return r;
	}
	r.cmd = !strcmp(argv[1], "done") ? PV_EVENT_DONE : PV_EXITED;
	r.u.ctl = (struct pv_req_ctl){ .arg = event, .pid = (u32)value };
	return r;
}

int main(int argc, char **argv)
{
	struct ring_header *ring = (struct ring_header *)KRING_BASE;
	u32 at;

	if (argc != 4)
		return 2;
	puts("up");
	fflush(stdout);
	ring->state[SLOT] = SLOT_PENDING;
	at = ring->req_prod;
	ring->requests[at % RING_SLOTS] = request(argv);
	__atomic_store_n(&ring->req_prod, at + 1, __ATOMIC_SEQ_CST);
	access("/etc", F_OK); /* a call of the kernel's own rings the bell */
	sleep(3);
	puts("alive");
	return 0;
}
