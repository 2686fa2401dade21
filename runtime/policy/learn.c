// SPDX-License-Identifier: Apache-2.0
/* From the log of what was done to a policy that allows it. */
#include "policy/learn.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cleanup.h"

/* What is gathered: executables {name: {path, script}}, rules {key: {executable, operation, protocol, addresses {}, ports {}}}. */
struct learned {
	json_t *executables;
	json_t *rules;
};

static const char *text_of(json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

/* A table for the executable, by the name of its file; its key, or "" if it is not known. */
static const char *executable_of(struct learned *l, json_t *line, char name[200])
{
	const char *path = text_of(line, "executable"), *script = text_of(line, "script");
	const char *what = script[0] ? script : path;
	const char *base = strrchr(what, '/') ? strrchr(what, '/') + 1 : what;
	json_t *known;

	name[0] = '\0';
	for (int i = 1; path[0] == '/' && base[0]; i++) {
		snprintf(name, 200, i > 1 ? "%.150s (%d)" : "%.150s", base, i);
		known = json_object_get(l->executables, name);
		if (!known)
			json_object_set_new(l->executables, name, json_pack("{ss ss}", "path", path, "script", script));
		if (!known || (!strcmp(text_of(known, "path"), path) && !strcmp(text_of(known, "script"), script)))
			break;
	}
	return name;
}

/* Addresses with the same ports become one rule. */
static void take_line(struct learned *l, json_t *line)
{
	json_int_t port = json_integer_value(json_object_get(line, "port"));
	char name[200], key[600 + PATH_MAX], digits[24];
	json_t *rule, *ports;

	snprintf(key, sizeof(key), "%s/%s/%s/%s%s", executable_of(l, line, name), text_of(line, "operation"),
		 text_of(line, "protocol"), text_of(line, "address"), text_of(line, "path"));
	rule = json_object_get(l->rules, key);
	if (!rule) {
		rule = json_pack("{ss ss ss ss ss s{}}", "executable", name, "operation", text_of(line, "operation"),
				 "protocol", text_of(line, "protocol"), "address", text_of(line, "address"),
				 "path", text_of(line, "path"), "ports");
		json_object_set_new(l->rules, key, rule);
	}
	ports = json_object_get(rule, "ports");
	snprintf(digits, sizeof(digits), "%lld", (long long)port);
	if (port)
		json_object_set_new(ports, digits, json_true());
}

/* TOML's basic strings have JSON's escapes. */
static void write_text(FILE *out, const char *key, const char *text)
{
	json_t *value = json_string(text);
	char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	fprintf(out, "%s = %s\n", key, quoted ? quoted : "\"\"");
	free(quoted);
	json_decref(value);
}

/* A path is a pattern in a policy: what would mean more than itself is escaped. */
static void write_pattern(FILE *out, const char *path)
{
	char pattern[2 * PATH_MAX + 1];
	size_t n = 0;

	for (; *path && n + 2 < sizeof(pattern); path++) {
		if (strchr("*?[\\", *path))
			pattern[n++] = '\\';
		pattern[n++] = *path;
	}
	pattern[n] = '\0';
	write_text(out, "path", pattern);
}

static void write_ports(FILE *out, json_t *ports)
{
	const char *between = "port = [";
	const char *port;
	json_t *value;

	json_object_foreach(ports, port, value) {
		fprintf(out, "%s%s", between, port);
		between = ", ";
	}
	if (json_object_size(ports))
		fputs("]\n", out);
}

static void write_executables(FILE *out, json_t *executables)
{
	const char *name;
	json_t *e;

	json_object_foreach(executables, name, e) {
		json_t *value = json_string(name);
		char *quoted = json_dumps(value, JSON_ENCODE_ANY);

		fprintf(out, "\n[executable.%s]\n", quoted ? quoted : "");
		free(quoted);
		json_decref(value);
		write_text(out, "path", text_of(e, "path"));
		if (text_of(e, "script")[0])
			write_text(out, "script", text_of(e, "script"));
	}
}

static void write_rules(FILE *out, json_t *rules)
{
	const char *key;
	json_t *rule;

	json_object_foreach(rules, key, rule) {
		bool socket = !strcmp(text_of(rule, "operation"), "socket");

		fputs("\n[[rule]]\naction = \"allow\"\n", out);
		write_text(out, "operation", socket ? "connect" : text_of(rule, "operation"));
		write_text(out, "protocol", text_of(rule, "protocol"));
		if (text_of(rule, "address")[0])
			write_text(out, "address", text_of(rule, "address"));
		if (text_of(rule, "path")[0])
			write_pattern(out, text_of(rule, "path"));
		write_ports(out, json_object_get(rule, "ports"));
		if (text_of(rule, "executable")[0])
			write_text(out, "executable", text_of(rule, "executable"));
	}
}

static int read_log(const char *path, const char *name, struct learned *l, struct error *err)
{
	cleanup_file FILE *f = fopen(path, "re");
	cleanup_free char *text = NULL;
	size_t room = 0;

	if (!f)
		return error_errno(err, errno, "%s", path);
	while (getline(&text, &room, f) > 0) {
		json_t *line = json_loads(text, 0, NULL); /* the last one may be cut */

		if (line && !strcmp(text_of(line, "policy"), name) && strcmp(text_of(line, "action"), "denied"))
			take_line(l, line);
		json_decref(line);
	}
	return 0;
}

int policy_learn(const char *log, const char *name, FILE *out, struct error *err)
{
	struct learned l = { json_object(), json_object() };
	int ret = read_log(log, name, &l, err);

	if (!ret && !json_object_size(l.rules))
		ret = error_set(err, ENOENT, "%s: nothing was learned under a policy '%s'", log, name);
	if (!ret) {
		fprintf(out, "# What was done under the policy %s. Look at it before it is used.\n"
			     "mode = \"enforce\"\ndefault = \"deny\"\n", name);
		write_executables(out, l.executables);
		write_rules(out, l.rules);
	}
	json_decref(l.executables);
	json_decref(l.rules);
	return ret;
}
