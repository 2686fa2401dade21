// SPDX-License-Identifier: Apache-2.0
#include "metrics/collect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/syscall_names.h"
#include "oci/state.h"
#include "stats/stats.h"
#include "vm/cgroup.h"

#define PATIENCE_S 2 /* for an answer: a hypervisor may be frozen, or stopped */

static json_t *ask(const char *root, const char *id, json_t *message)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct error err;
	cleanup_close int fd = control_connect(root, id, &err);
	json_t *reply = NULL;

	if (fd < 0)
		json_decref(message);
	else if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
		 !control_request(fd, message, NULL, 0, &err))
		reply = control_reply(fd, &err);
	if (!reply)
		log_debug("%s: %s", id, err.text);
	return reply;
}

/* ---- parts ---- */

static void copy(json_t *out, const char *key, json_t *stats, const char *path[3])
{
	json_t *v = stats;

	for (int i = 0; i < 3 && path[i]; i++)
		v = json_object_get(v, path[i]);
	if (json_is_integer(v))
		json_object_set(out, key, v);
}

static void add_usage(json_t *out, const struct cgroup_tree *tree, const struct container_state *s)
{
	cleanup(control_unref) json_t *stats = stats_collect(tree, s->cgroups_path, s->init.pid);

	copy(out, "cpu", stats, (const char *[3]){ "cpu", "usage", "total" });
	copy(out, "memory", stats, (const char *[3]){ "memory", "usage", "usage" });
	copy(out, "memoryLimit", stats, (const char *[3]){ "memory", "usage", "limit" });
	copy(out, "pids", stats, (const char *[3]){ "pids", "current", NULL });
}

static void add_calls(json_t *out, const char *root, const char *id)
{
	cleanup(control_unref) json_t *reply = ask(root, id, json_pack("{ss}", "cmd", "syscalls"));
	json_t *missed = json_object(), *call;
	json_int_t local = 0, proxied = 0, missing = 0;
	size_t i;

	json_array_foreach(json_object_get(reply, "calls"), i, call) {
		json_int_t n = json_integer_value(json_object_get(call, "missing"));

		local += json_integer_value(json_object_get(call, "local"));
		proxied += json_integer_value(json_object_get(call, "proxied"));
		missing += n;
		if (n)
			json_object_set_new(missed, syscall_name((int)json_integer_value(json_object_get(call, "nr"))),
					    json_integer(n));
	}
	if (reply) {
		json_object_set_new(out, "local", json_integer(local));
		json_object_set_new(out, "proxied", json_integer(proxied));
		json_object_set_new(out, "missing", json_integer(missing));
		json_object_set(out, "pvCalls", json_object_get(reply, "pvCalls"));
		json_object_set(out, "hostCalls", json_object_get(reply, "hostCalls"));
		json_object_set(out, "missed", missed);
	}
	json_decref(missed);
}

static json_t *find(json_t *counts, const json_t *protocol, const json_t *state)
{
	json_t *entry;
	size_t i;

	json_array_foreach(counts, i, entry) {
		if (json_equal(json_object_get(entry, "protocol"), protocol) &&
		    json_equal(json_object_get(entry, "state"), state))
			return entry;
	}
	return NULL;
}

static void count(json_t *counts, const json_t *connection)
{
	json_t *protocol = json_object_get(connection, "protocol"), *state = json_object_get(connection, "state");
	json_t *entry = find(counts, protocol, state);

	if (entry)
		json_integer_set(json_object_get(entry, "n"), json_integer_value(json_object_get(entry, "n")) + 1);
	else
		json_array_append_new(counts, json_pack("{sOsOsi}", "protocol", protocol, "state", state, "n", 1));
}

static void add_connections(json_t *out, const char *root, const char *id)
{
	json_t *counts = json_array();
	json_int_t from = 0;

	do {
		cleanup(control_unref) json_t *reply =
			ask(root, id, json_pack("{sssI}", "cmd", "connections", "from", from));
		json_t *c;
		size_t i;

		if (!reply) {
			json_decref(counts);
			return;
		}
		json_array_foreach(json_object_get(reply, "connections"), i, c)
			count(counts, c);
		from = json_integer_value(json_object_get(reply, "next"));
	} while (from);
	json_object_set_new(out, "connections", counts);
}

/* ---- all ---- */

static json_t *describe(const char *root, const struct cgroup_tree *tree, const struct container_state *s)
{
	enum container_status status = state_status(root, s);
	json_t *out = json_pack("{ssss}", "id", s->id, "status", state_status_name(status));

	if (status == STATUS_STOPPED)
		return out;
	if (tree)
		add_usage(out, tree, s);
	if (status == STATUS_RUNNING) {
		add_calls(out, root, s->id);
		add_connections(out, root, s->id);
	}
	return out;
}

json_t *metrics_collect(const char *root, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct cgroup_tree tree;
	struct oci_strings ids;
	struct error ignored;
	bool cgroups;
	json_t *list;

	if (state_list(root, &arena, &ids, err))
		return NULL;
	cgroups = !cgroup_open(&tree, false, &ignored);
	list = json_array();
	for (size_t i = 0; i < ids.n; i++) {
		struct container_state state;

		if (!state_read(root, ids.v[i], &arena, &state, &ignored)) /* else it is gone meanwhile */
			json_array_append_new(list, describe(root, cgroups ? &tree : NULL, &state));
	}
	if (cgroups)
		cgroup_close(&tree);
	return list;
}
