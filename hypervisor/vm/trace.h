/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `callgate trace`: switches the guest's records on and passes them on, unseen, to whoever asked by the control
 * socket. Of what the guest writes only one number means anything here: how far it has written.
 */
#ifndef CALLGATE_VM_TRACE_H
#define CALLGATE_VM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace_ring.h"
#include "vm/control.h"

struct vm_trace {
	/* In memory that the guest writes. */
	struct guest_counters *counters;
	struct trace_header *header;
	const uint8_t *data;
	/* Ours. */
	struct control_client *client; /* NULL: nobody traces */
	int fd;        /* the client's pipe; -1: sums only */
	uint32_t tail; /* how far the ring has been passed on */
	uint32_t lost_before;
	uint32_t session, drain; /* how many traces there were; how often all that waits was asked for */
	int64_t drain_until; /* ms, CLOCK_MONOTONIC: so long do we wait for it before the end; 0: we don't */
	void (*nudge)(void *ctx); /* the guest looks at `drain` */
	void *ctx;
	bool quiet; /* there was nothing at the last look */
	bool stopping; /* the client waits for the rest, which ends at `end` */
	uint32_t end;
};

/* ring: the region of ring.h; nudge: kicks the guest's first thread */
void trace_init(struct vm_trace *trace, void *ring, void (*nudge)(void *ctx), void *ctx);

/*
 * {"cmd":"trace","records":true,"sums":false,"wait":false,"pid":0,"strings":32,"calls":[0,1]}, with a descriptor for
 * records: {"result":0}; then, at the end of the container, the answer of trace-stop.
 */
void trace_start(struct vm_trace *trace, struct control_client *client, json_t *request);
/*
 * {"cmd":"trace-stop"}, on the same connection: {"lost":N,"cut":false,"sums":[{"nr":0,"calls":1, ...}]},
 * when all records have been taken. cut: the last ones are missing.
 */
void trace_stop(struct vm_trace *trace, struct control_client *client);

/* Passes on what there is. Never blocks. */
void trace_pump(struct vm_trace *trace);
/* How long to wait until the next look, ms; -1: no need to. */
int trace_timeout(const struct vm_trace *trace);
/* The guest has ended: what is left is passed on, if it is taken soon. */
void trace_last(struct vm_trace *trace);

#endif
