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
#include "lib/cleanup.h"
#include "oci/state.h"
#include "stats/stats.h"

enum { OPT_INTERVAL = CHAR_MAX + 1, OPT_STATS };

static const struct option options[] = {
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "stats", no_argument, NULL, OPT_STATS },
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

int cmd_events(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	struct watching w = { .state = &state, .interval = 5000 };
	bool once = false;
	int c, ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == OPT_STATS)
			once = true;
		else
			w.interval = parse_interval(optarg);
		if (!w.interval)
			return error_set(err, EINVAL, "duration interval must be greater than 0");
	}
	ret = cmd_check_args(argc, argv, 1, 1, err);
	if (!ret)
		ret = state_check_id(argv[optind], err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (ret)
		return ret;
	if (!state_alive(&state))
		return error_set(err, ESRCH, "container with id %s is not running", state.id);
	return watch(&w, once, err);
}
