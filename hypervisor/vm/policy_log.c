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

static const char *action_of(const struct policy_event *e)
{
	return e->denied ? "denied" : e->policy->mode == POLICY_LEARN ? "learn" : "audit";
}

static json_t *describe(const struct policy_event *e, const char *container, time_t now)
{
	char address[POLICY_TEXT_MAX];
	char when[32];
	struct tm tm;
	json_t *line;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	policy_address_text(&e->query.address, 0, address);
	line = json_pack("{ss ss ss ss ss ss ss so* so* si}", "time", when, "container", container, "action",
			 action_of(e), "policy", e->policy->name, "rule",
			 e->rule ? e->rule->name : "default", "operation",
			 e->no_address ? "socket" : policy_operation_names[e->query.operation], "protocol",
			 policy_protocol_names[e->query.protocol], "address",
			 e->no_address || e->query.path ? NULL : json_string(address), "port",
			 e->query.port ? json_integer(e->query.port) : NULL, "pid", (int)e->pid);
	if (line && e->query.path)
		set_text(line, "path", e->query.path);
	if (line && e->query.program)
		describe_program(line, e->query.program);
	return line;
}

static void add_to_hash(uint64_t *hash, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		*hash = (*hash ^ *p++) * 0x100000001b3ULL;
}

static uint64_t hash_of(const struct policy_event *e)
{
	const struct policy_program *program = e->query.program;
	uint64_t hash = 0xcbf29ce484222325ULL;

	add_to_hash(&hash, &e->policy, sizeof(e->policy));
	add_to_hash(&hash, &e->query.operation, sizeof(e->query.operation));
	add_to_hash(&hash, &e->query.protocol, sizeof(e->query.protocol));
	add_to_hash(&hash, &e->query.address, sizeof(e->query.address));
	add_to_hash(&hash, &e->query.port, sizeof(e->query.port));
	if (e->query.path)
		add_to_hash(&hash, e->query.path, strlen(e->query.path) + 1);
	if (program)
		add_to_hash(&hash, program->file.path, strlen(program->file.path) + 1);
	if (program)
		add_to_hash(&hash, program->script.path, strlen(program->script.path));
	return hash ? hash : 1;
}

/* What is learned once need not be told again: a busy run must not lose the rest to the limit. */
static bool known_already(struct policy_log *log, const struct policy_event *event)
{
	uint64_t hash = hash_of(event);
	size_t i = hash % LEARNED_MAX;
	bool known;

	pthread_mutex_lock(&log->lock);
	for (size_t tries = 0; log->learned[i] && log->learned[i] != hash && tries < LEARNED_MAX; tries++)
		i = (i + 1) % LEARNED_MAX;
	known = log->learned[i] == hash;
	if (!log->learned[i])
		log->learned[i] = hash;
	pthread_mutex_unlock(&log->lock);
	return known;
}

void policy_log_write(struct policy_log *log, const struct policy_event *event)
{
	time_t now = time(NULL);
	unsigned int suppressed;
	json_t *line;
	char *text;
	size_t n;

	if (event->policy->mode == POLICY_LEARN && known_already(log, event))
		return;
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
