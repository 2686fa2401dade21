/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.h: threads for calls that may sleep in the host. Made on first need, at most one per
 * slot.
 */
#ifndef CALLGATE_CALL_WORKERS_H
#define CALLGATE_CALL_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "types.h"

struct call;
struct pv_server;

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work, gone;
	struct call *first, *last; /* queue */
	u32 queued, idle, threads;
	bool stopping;
};

void workers_init(struct workers *w);
/* Hands the call over. 0, or -errno: no thread can be had, and the caller must serve it. */
int workers_submit(struct pv_server *srv, struct call *c);
/* true: all threads are gone. false: some are stuck in a host call and still use the server. */
bool workers_stop(struct workers *w);

#endif
