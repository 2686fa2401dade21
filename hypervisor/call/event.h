/* SPDX-License-Identifier: Apache-2.0 */
/* event.h: what the hypervisor wants of the guest, until the guest has answered. */
#ifndef CALLGATE_CALL_EVENT_H
#define CALLGATE_CALL_EVENT_H

#include <pthread.h>

#include "call/call.h"

#define EVENTS_MAX 256u /* that wait for their answers */

struct event {
	struct event *next;
	u32 number;
	u32 kind;
	enum { EVENT_QUEUED, EVENT_TAKEN, EVENT_RUNNING } state; /* RUNNING: a PV_EV_EXEC that succeeded */
	void *blob; /* QUEUED: what the guest gets */
	size_t size;
	unsigned int nfds;
	int *fds; /* FD_*, or one that can be taken */
};

struct event_table {
	pthread_mutex_t lock;
	struct event *first; /* in the order of posting; the boot is the first */
	u32 last; /* number given out */
	u32 unanswered;
};

int events_init(struct event_table *t);
void events_destroy(struct event_table *t);

int event_take(struct call *c);
int event_done(struct call *c);
int event_exited(struct call *c);
int take_fd_decode(struct call *c);
int take_fd(struct call *c);

#endif
