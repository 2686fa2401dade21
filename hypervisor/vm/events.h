/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for the running guest (PV_EVENT in pvcall.h) and their answers. All functions are for the main
 * loop's thread, but vm_events_done() and vm_events_exited(): the PV call server's threads call these, and the loop
 * hands the reports on to the listeners when `fd` is readable.
 */
#ifndef CALLGATE_VM_EVENTS_H
#define CALLGATE_VM_EVENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "pvcall.h"

/*
 * On their way, or processes that have not ended, at a time: beyond that posting fails with -EAGAIN. One for each
 * client of the control socket, and two for each process that they may start.
 */
#define VM_EVENTS_MAX 2048

/* An event is its poster's until its last report: done with a failure, exited, or done if there is no exited. */
struct vm_event;

struct vm_event_listener {
	void *ctx;
	/* result: >= 0, or -errno with the text (may be "") of why */
	void (*done)(void *ctx, int result, const char *text);
	void (*exited)(void *ctx, int wait_status); /* NULL: not an event that has a process */
};

struct vm_event_report;

struct vm_events {
	int fd; /* poll it for input, then call vm_events_take() */
	/* pv_server_post(), or a test's */
	int (*post)(void *server, const struct pv_event *event, size_t size, const int *fds, unsigned int nfds);
	void *server;
	bool booted; /* before that the guest has nothing that events could be for: they wait */
	struct vm_event *list; /* oldest first */
	unsigned int n;
	pthread_mutex_t lock; /* of the reports */
	struct vm_event_report *reports, **last_report;
};

/* 0 or -errno */
int vm_events_init(struct vm_events *ev);

/*
 * Posts an event: size bytes, as for pv_server_post(). One that the server has no room for is kept and
 * posted later. The descriptors are taken over on success. NULL with *error set (-EAGAIN, -E2BIG, -ENOMEM).
 */
struct vm_event *vm_events_post(struct vm_events *ev, const struct pv_event *event, size_t size, const int *fds,
			  unsigned int nfds, const struct vm_event_listener *listener, int *error);

/* The boot (event number 0), which nobody posts, and which all others wait for. */
struct vm_event *vm_events_expect_boot(struct vm_events *ev, const struct vm_event_listener *listener);

/* The number that the guest knows it by: a target of signals. 0: not posted yet. */
u32 vm_event_number(const struct vm_event *e);

/* No report of it is wanted any more. NULL is allowed. */
void vm_event_forget(struct vm_event *e);

/* Hands all reports that have arrived to the listeners, and posts what is left over. */
void vm_events_take(struct vm_events *ev);

/* Any thread. */
void vm_events_done(struct vm_events *ev, u32 number, int result, const char *text);
void vm_events_exited(struct vm_events *ev, u32 number, int wait_status);

#endif
