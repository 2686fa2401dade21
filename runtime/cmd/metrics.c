// SPDX-License-Identifier: Apache-2.0
/* callgate metrics: OpenMetrics text about all containers, for Prometheus and its like. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "metrics/collect.h"

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ 0 },
};

/* A metric with one number for each container. */
static const struct metric {
	const char *name, *type, *unit, *help;
	const char *key;
	const char *suffix;
	double scale;
} metrics[] = {
	{ "cpu_seconds", "counter", "seconds", "CPU time used.", "cpu", "_total", 1e-9 },
	{ "memory_bytes", "gauge", "bytes", "Memory in use, page cache included.", "memory", "", 1 },
	{ "pids", "gauge", "", "Host processes and threads.", "pids", "", 1 },
	{ "pv_calls", "counter", "", "Requests of the guest kernel to the hypervisor.", "pvCalls", "_total", 1 },
	{ "host_calls", "counter", "", "Host calls that guest processes made.", "hostCalls", "_total", 1 },
};

static const char *id_of(const json_t *container)
{
	return json_string_value(json_object_get(container, "id"));
}

static void head(const char *name, const char *type, const char *unit, const char *help)
{
	printf("# TYPE callgate_%s %s\n", name, type);
	if (unit[0])
		printf("# UNIT callgate_%s %s\n", name, unit);
	printf("# HELP callgate_%s %s\n", name, help);
}

static void print_metric(const struct metric *m, const json_t *list)
{
	json_t *c;
	size_t i;
	char name[64];

	snprintf(name, sizeof(name), "container_%s", m->name);
	head(name, m->type, m->unit, m->help);
	json_array_foreach(list, i, c) {
		const json_t *v = json_object_get(c, m->key);

		if (v)
			printf("callgate_%s%s{id=\"%s\"} %.*f\n", name, m->suffix, id_of(c), m->scale < 1 ? 6 : 0,
			       (double)json_integer_value(v) * m->scale);
	}
}

/* How many containers there are of each status. */
static void print_containers(const json_t *list)
{
	static const char *const all[] = { "creating", "created", "running", "paused", "stopped" };

	head("containers", "gauge", "", "Containers, by status.");
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		json_t *c;
		size_t i, n = 0;

		json_array_foreach(list, i, c)
			n += !strcmp(json_string_value(json_object_get(c, "status")), all[k]);
		printf("callgate_containers{status=\"%s\"} %zu\n", all[k], n);
	}
}

static void print_calls(const json_t *list)
{
	static const char *const kinds[] = { "local", "proxied", "missing" };
	json_t *c;
	size_t i;

	head("container_guest_calls", "counter", "",
	     "System calls of the guest: served by the guest kernel alone, with PV calls, or not there.");
	json_array_foreach(list, i, c)
		for (size_t k = 0; k < 3; k++)
			if (json_object_get(c, kinds[k]))
				printf("callgate_container_guest_calls_total{id=\"%s\",served=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
				       id_of(c), kinds[k], json_integer_value(json_object_get(c, kinds[k])));
}

static void print_missed(const json_t *list)
{
	json_t *c, *n;
	const char *name;
	size_t i;

	head("container_missed_calls", "counter", "", "System calls that were answered ENOSYS, by name.");
	json_array_foreach(list, i, c)
		json_object_foreach(json_object_get(c, "missed"), name, n)
			printf("callgate_container_missed_calls_total{id=\"%s\",call=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
			       id_of(c), name, json_integer_value(n));
}

static void print_connections(const json_t *list)
{
	json_t *c, *n;
	size_t i, k;

	head("container_connections", "gauge", "", "Sockets, by protocol and state.");
	json_array_foreach(list, i, c)
		json_array_foreach(json_object_get(c, "connections"), k, n)
			printf("callgate_container_connections{id=\"%s\",protocol=\"%s\",state=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
			       id_of(c), json_string_value(json_object_get(n, "protocol")),
			       json_string_value(json_object_get(n, "state")),
			       json_integer_value(json_object_get(n, "n")));
}

static void print_text(const json_t *list)
{
	print_containers(list);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		print_metric(&metrics[i], list);
	print_calls(list);
	print_missed(list);
	print_connections(list);
	puts("# EOF");
}

int cmd_metrics(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(control_unref) json_t *list = NULL;
	const char *format = "openmetrics";
	int c, ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		format = optarg;
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (!ret && strcmp(format, "openmetrics") && strcmp(format, "json"))
		ret = error_set(err, EINVAL, "--format: '%s' is neither openmetrics nor json", format);
	if (ret)
		return ret;
	list = metrics_collect(globals->root, err);
	if (!list)
		return -err->code;
	if (!strcmp(format, "json"))
		json_dumpf(list, stdout, JSON_COMPACT);
	else
		print_text(list);
	return fflush(stdout) ? error_errno(err, errno, "standard output") : 0;
}
