// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "oci/state.h"
#include "stats/stats.h"

enum { OPT_INTERVAL = CHAR_MAX + 1, OPT_STATS, OPT_CONNECTIONS, OPT_FORMAT };

static const struct option options[] = {
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "connections", no_argument, NULL, OPT_CONNECTIONS },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ 0 },
};

struct watching {
	struct container_state *state;
	struct cgroup_tree tree;
	struct oom_watch oom;
	long interval; /* ms */
	int pidfd;
};

/* "1m30s", "500ms": a number and a unit, once or more. 0: not a time. */
static long parse_interval(const char *text)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	double sum = 0;

	while (*text) {
		char *end;
		double value = strtod(text, &end);
		size_t n = strcspn(end, "0123456789."), i = 0;

		while (i < 4 && (strlen(units[i].name) != n || strncmp(end, units[i].name, n)))
			i++;
		if (end == text || i == 4 || !(value >= 0))
			return 0;
		sum += value * units[i].ms;
		text = end + n;
	}
	return sum < INT_MAX ? (long)sum : 0;
}

static void print(const struct watching *w, const char *type, json_t *data)
{
	json_t *event = json_pack("{ssss}", "type", type, "id", w->state->id);

	if (data)
		json_object_set_new(event, "data", data);
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(event);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void stream(struct watching *w)
{
	struct pollfd fds[] = { { .fd = w->pidfd, .events = POLLIN },
				{ .fd = w->oom.fd, .events = POLLIN } };
	long next = now_ms() + w->interval;

	for (;;) {
		long left = next - now_ms();

		if (left <= 0) {
			print(w, "stats", stats_collect(&w->tree, w->state->cgroups_path, w->state->init.pid));
			next += w->interval;
			continue;
		}
		poll(fds, 2, (int)left);
		if (fds[1].revents && oom_watch_happened(&w->oom))
			print(w, "oom", NULL);
		if (fds[0].revents)
			return;
	}
}

static int watch(struct watching *w, bool once, struct error *err)
{
	int ret = cgroup_open(&w->tree, false, err);

	if (ret)
		return ret;
	if (once) {
		print(w, "stats", stats_collect(&w->tree, w->state->cgroups_path, w->state->init.pid));
	} else {
		cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, w->state->init.pid, 0);

		w->pidfd = pidfd;
		oom_watch_start(&w->oom, &w->tree, w->state->cgroups_path);
		if (pidfd >= 0)
			stream(w);
		oom_watch_stop(&w->oom);
	}
	cgroup_close(&w->tree);
	return 0;
}

/* As the hypervisor tells them, until the container ends. */
static int stream_connections(const struct globals *globals, const char *id, struct error *err)
{
	cleanup_close int fd = control_connect(globals->root, id, err);
	json_t *message;

	if (fd < 0 || control_request(fd, json_pack("{ss}", "cmd", "connection-events"), NULL, 0, err))
		return -err->code;
	message = control_reply(fd, err);
	if (!message)
		return -err->code;
	fprintf(stderr, "watching %s\n", id);
	json_decref(message);
	while ((message = control_reply(fd, err))) {
		json_object_set_new(message, "id", json_string(id));
		json_dumpf(message, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(message);
		if (fflush(stdout))
			return error_errno(err, errno, "standard output");
	}
	return err->code == ECONNRESET ? 0 : -err->code;
}

/* Returns 0, or -errno. */
static int take_option(struct watching *w, int c, bool *once, bool *connections, struct error *err)
{
	switch (c) {
	case '?':
		return -err->code;
	case OPT_STATS:
		*once = true;
		return 0;
	case OPT_CONNECTIONS:
		*connections = true;
		return 0;
	case OPT_FORMAT:
		return strcmp(optarg, "json") ? error_set(err, EINVAL, "--format: '%s' is not json", optarg) : 0;
	default:
		w->interval = parse_interval(optarg);
		return w->interval ? 0 : error_set(err, EINVAL, "duration interval must be greater than 0");
	}
}

int cmd_events(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	struct watching w = { .state = &state, .interval = 5000 };
	bool once = false, connections = false;
	int c, ret = 0;

	while (!ret && (c = cmd_option(argc, argv, options, err)) != -1)
		ret = take_option(&w, c, &once, &connections, err);
	if (!ret)
		ret = cmd_check_args(argc, argv, 1, 1, err);
	if (!ret)
		ret = state_check_id(argv[optind], err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (ret)
		return ret;
	if (!state_alive(&state))
		return error_set(err, ESRCH, "container with id %s is not running", state.id);
	return connections ? stream_connections(globals, state.id, err) : watch(&w, once, err);
}
