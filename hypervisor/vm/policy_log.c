// SPDX-License-Identifier: Apache-2.0
#include "vm/policy_log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_PER_SECOND 100

void policy_log_init(struct policy_log *log, int fd, const char *container)
{
	*log = (struct policy_log){ .fd = fd, .container = container };
	pthread_mutex_init(&log->lock, NULL);
}

static bool within_limit(struct policy_log *log, time_t now, unsigned int *suppressed)
{
	bool within;

	pthread_mutex_lock(&log->lock);
	if (now != log->second) {
		log->second = now;
		log->lines = 0;
	}
	within = log->lines++ < LINES_PER_SECOND;
	*suppressed = within ? log->suppressed : 0;
	log->suppressed = within ? 0 : log->suppressed + 1;
	pthread_mutex_unlock(&log->lock);
	return within;
}

static json_t *describe(const struct policy_event *e, const char *container, time_t now)
{
	char destination[POLICY_TEXT_MAX];
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	policy_address_text(&e->query.address, e->query.port, destination);
	return json_pack("{ss ss ss ss ss ss ss so* si}", "time", when, "container", container, "action",
			 e->denied ? "denied" : "audit", "policy", e->policy->name, "rule",
			 e->rule ? e->rule->name : "default", "operation",
			 e->no_address ? "socket" : policy_operation_names[e->query.operation], "protocol",
			 policy_protocol_names[e->query.protocol], "address",
			 e->no_address ? NULL : json_string(destination), "pid", (int)e->pid);
}

void policy_log_write(struct policy_log *log, const struct policy_event *event)
{
	time_t now = time(NULL);
	unsigned int suppressed;
	json_t *line;
	char *text;
	size_t n;

	if (log->fd < 0 || !within_limit(log, now, &suppressed))
		return;
	line = describe(event, log->container, now);
	if (suppressed)
		json_object_set_new(line, "suppressed", json_integer(suppressed));
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (!text)
		return;
	n = strlen(text);
	text[n++] = '\n'; /* in the place of the NUL: one write, one line */
	if (write(log->fd, text, n) < 0)
		log->suppressed++;
	free(text);
}
