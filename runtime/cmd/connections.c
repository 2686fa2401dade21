// SPDX-License-Identifier: Apache-2.0
/* callgate connections: a live table of the containers' sockets. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "oci/state.h"

#define COLUMNS 11

enum { OPT_WATCH = CHAR_MAX + 1 };

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ 0 },
};

struct asked {
	const struct globals *globals;
	const char *id; /* NULL: all that run */
	bool json, watch;
};

/* ---- asking ---- */

/* Adds the container's connections to the list, page by page. */
static int ask_one(const struct asked *a, const char *id, json_t *list, struct error *err)
{
	json_int_t from = 0;

	do {
		cleanup(control_unref) json_t *reply = control_ask(
			a->globals->root, id, json_pack("{sssI}", "cmd", "connections", "from", from), err);
		json_t *c;
		size_t i;

		if (!reply)
			return -err->code;
		json_array_foreach(json_object_get(reply, "connections"), i, c) {
			json_object_set_new(c, "container", json_string(id));
			json_array_append(list, c);
		}
		from = json_integer_value(json_object_get(reply, "next"));
	} while (from);
	return 0;
}

static int ask_all(const struct asked *a, json_t *list, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct oci_strings ids;
	int ret = state_list(a->globals->root, &arena, &ids, err);

	for (size_t i = 0; !ret && i < ids.n; i++) {
		struct container_state state;
		struct error one;

		if (state_read(a->globals->root, ids.v[i], &arena, &state, &one) || !state_alive(&state))
			continue;
		if (ask_one(a, ids.v[i], list, &one)) /* it may have ended meanwhile */
			log_debug("%s: %s", ids.v[i], one.text);
	}
	return ret;
}

/* ---- table ---- */

static const char *text(struct arena *arena, const json_t *c, const char *key)
{
	const json_t *v = json_object_get(c, key);

	if (json_is_integer(v))
		return arena_printf(arena, "%lld", (long long)json_integer_value(v));
	return json_is_string(v) ? json_string_value(v) : "-";
}

static const char *age(struct arena *arena, const json_t *c)
{
	long long s = (long long)json_number_value(json_object_get(c, "age"));

	if (s < 60)
		return arena_printf(arena, "%llds", s);
	if (s < 3600)
		return arena_printf(arena, "%lldm%02llds", s / 60, s % 60);
	return arena_printf(arena, "%lldh%02lldm", s / 3600, s / 60 % 60);
}

static void make_row(struct arena *arena, const json_t *c, const char **row)
{
	static const char *const keys[COLUMNS] = { "container", "program", "pid", "uid", "protocol", "local", "remote",
						   "state", "received", "sent" };

	for (int k = 0; k < COLUMNS - 1; k++)
		row[k] = text(arena, c, keys[k]);
	row[COLUMNS - 1] = age(arena, c);
}

static void print_table(json_t *list)
{
	static const char *const head[COLUMNS] = { "CONTAINER", "EXECUTABLE", "PID", "USER", "PROTO", "LOCAL", "REMOTE",
						   "STATE", "RECEIVED", "SENT", "AGE" };
	cleanup(arena_free) struct arena arena = { 0 };
	size_t n = json_array_size(list) + 1;
	const char *(*rows)[COLUMNS] = arena_array(&arena, n, sizeof(*rows));
	int width[COLUMNS] = { 0 };

	memcpy(rows[0], head, sizeof(head));
	for (size_t i = 1; i < n; i++)
		make_row(&arena, json_array_get(list, i - 1), rows[i]);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < COLUMNS; k++)
			width[k] = (int)strlen(rows[i][k]) > width[k] ? (int)strlen(rows[i][k]) : width[k];
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < COLUMNS - 1; k++)
			printf("%-*s  ", width[k], rows[i][k]);
		printf("%s\n", rows[i][COLUMNS - 1]);
	}
}

static int show(const struct asked *a, struct error *err)
{
	cleanup(control_unref) json_t *list = json_array();
	int ret = a->id ? ask_one(a, a->id, list, err) : ask_all(a, list, err);

	if (ret)
		return ret;
	if (a->json) {
		json_dumpf(list, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		if (a->watch && isatty(STDOUT_FILENO))
			fputs("\33[H\33[J", stdout);
		print_table(list);
	}
	return fflush(stdout) ? error_errno(err, errno, "standard output") : 0;
}

int cmd_connections(const struct globals *globals, int argc, char **argv, struct error *err)
{
	struct asked a = { .globals = globals };
	const char *format = "table";
	int c, ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == OPT_WATCH)
			a.watch = true;
		else
			format = optarg;
	}
	ret = cmd_check_args(argc, argv, 0, 1, err);
	a.json = !strcmp(format, "json");
	if (!ret && !a.json && strcmp(format, "table"))
		ret = error_set(err, EINVAL, "--format: '%s' is neither table nor json", format);
	a.id = argc > optind ? argv[optind] : NULL;
	while (!ret) {
		ret = show(&a, err);
		if (!a.watch || ret)
			break;
		nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	}
	return ret;
}
