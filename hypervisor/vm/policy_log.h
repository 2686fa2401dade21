/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies refused: a line of JSON each, in a file of the host. docs/policy.md has the keys. */
#ifndef CALLGATE_VM_POLICY_LOG_H
#define CALLGATE_VM_POLICY_LOG_H

#include <jansson.h>
#include <pthread.h>
#include <time.h>

#include "call/policy_sock.h"

#define LEARNED_MAX 4096

struct policy_log {
	int fd; /* for appending; -1: nothing is written */
	const char *container;
	pthread_mutex_t lock;
	/* A guest that tries for ever must not fill the host's disk. */
	time_t second;
	unsigned int lines, suppressed;
	uint64_t learned[LEARNED_MAX]; /* a hash each; 0: free */
};

void policy_log_init(struct policy_log *log, int fd, const char *container);
/* Any thread. */
void policy_log_write(struct policy_log *log, const struct policy_event *event);
/* The same as an object. Any thread. */
json_t *policy_log_json(const struct policy_event *event, const char *container);

#endif
