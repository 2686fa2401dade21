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

/* Names of files are the guest's: they need not be UTF-8. */
static void set_text(json_t *line, const char *key, const char *text)
{
	json_t *value = json_string(text);

	json_object_set_new(line, key, value ? value : json_string("(not UTF-8)"));
}

static void describe_program(json_t *line, const struct policy_program *program)
{
	static const char digits[] = "0123456789abcdef";
	const struct policy_hash *hash = &program->file.hash;
	char text[2 * sizeof(hash->b) + 1] = "";

	set_text(line, "executable", program->file.known ? program->file.path : "unknown");
	if (program->script.known)
		set_text(line, "script", program->script.path);
	set_text(line, "lineage", program->lineage);
	if (program->preloaded)
		json_object_set_new(line, "preloaded", json_true());
	for (size_t i = 0; program->file.hashed && i < sizeof(hash->b); i++) {
		text[2 * i] = digits[hash->b[i] >> 4];
		text[2 * i + 1] = digits[hash->b[i] & 15];
	}
	if (text[0])
		set_text(line, "sha256", text);
}

static json_t *describe(const struct policy_event *e, const char *container, time_t now)
{
	char destination[POLICY_TEXT_MAX];
	char when[32];
	struct tm tm;
	json_t *line;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	policy_address_text(&e->query.address, e->query.port, destination);
	line = json_pack("{ss ss ss ss ss ss ss so* si}", "time", when, "container", container, "action",
			 e->denied ? "denied" : "audit", "policy", e->policy->name, "rule",
			 e->rule ? e->rule->name : "default", "operation",
			 e->no_address ? "socket" : policy_operation_names[e->query.operation], "protocol",
			 policy_protocol_names[e->query.protocol], "address",
			 e->no_address ? NULL : json_string(destination), "pid", (int)e->pid);
	if (line && e->query.program)
		describe_program(line, e->query.program);
	return line;
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

json_t *policy_log_json(const struct policy_event *event, const char *container)
{
	return describe(event, container, time(NULL));
}
