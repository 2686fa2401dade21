// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "oci/state.h"

#define COLUMNS 6

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "quiet", no_argument, NULL, 'q' },
	{ 0 },
};

/* A row of the table, or an object of the JSON array. */
struct entry {
	const char *text[COLUMNS];
	json_t *object;
};

static void make_entry(const struct globals *globals, struct entry *e, struct arena *arena,
		       const struct container_state *s)
{
	enum container_status status = state_status(globals->root, s);
	json_t *owner = state_owner(globals->root, s->id);

	e->text[0] = s->id;
	e->text[1] = arena_printf(arena, "%d", status == STATUS_STOPPED ? 0 : s->init.pid);
	e->text[2] = arena_strdup(arena, state_status_name(status));
	e->text[3] = s->bundle;
	e->text[4] = s->created;
	e->text[5] = arena_strdup(arena, json_string_value(owner));
	e->object = state_to_json(s, status, NULL);
	json_object_set_new(e->object, "owner", owner);
}

/* At least 12 wide, 3 blanks between: as other runtimes have it. */
static void print_table(const struct entry *entries, size_t n)
{
	static const struct entry head = {
		{ "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" }, NULL
	};
	int width[COLUMNS] = { 0 };

	for (size_t i = 0; i <= n; i++) {
		const struct entry *e = i ? &entries[i - 1] : &head;

		for (int k = 0; k < COLUMNS; k++) {
			int w = (int)strlen(e->text[k]) + 3;

			width[k] = w > width[k] ? w : width[k];
		}
	}
	for (size_t i = 0; i <= n; i++) {
		const struct entry *e = i ? &entries[i - 1] : &head;

		for (int k = 0; k < COLUMNS - 1; k++)
			printf("%-*s", width[k] < 12 ? 12 : width[k], e->text[k]);
		printf("%s\n", e->text[COLUMNS - 1]);
	}
}

static void print_json(const struct entry *entries, size_t n)
{
	json_t *list = n ? json_array() : json_null();

	for (size_t i = 0; i < n; i++)
		json_array_append(list, entries[i].object);
	json_dumpf(list, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(list);
}

static size_t read_all(const struct globals *globals, const struct oci_strings *ids,
		       struct entry *entries, struct arena *arena)
{
	size_t n = 0;

	for (size_t i = 0; i < ids->n; i++) {
		struct container_state state;
		struct error err;
		int ret = state_read(globals->root, ids->v[i], arena, &state, &err);

		if (!ret)
			make_entry(globals, &entries[n++], arena, &state);
		else if (ret != -ENOENT) /* gone meanwhile */
			log_warn("%s", err.text);
	}
	return n;
}

static int print_list(const struct globals *globals, bool quiet, bool json, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct entry *entries;
	struct oci_strings ids;
	int ret = state_list(globals->root, &arena, &ids, err);
	size_t n;

	if (ret)
		return ret;
	entries = arena_array(&arena, ids.n + 1, sizeof(*entries));
	n = read_all(globals, &ids, entries, &arena);
	if (quiet) {
		for (size_t i = 0; i < n; i++)
			puts(entries[i].text[0]);
	} else if (json) {
		print_json(entries, n);
	} else {
		print_table(entries, n);
	}
	for (size_t i = 0; i < n; i++)
		json_decref(entries[i].object);
	return 0;
}

int cmd_list(const struct globals *globals, int argc, char **argv, struct error *err)
{
	const char *format = "table";
	bool quiet = false;
	int c;
	int ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'q')
			quiet = true;
		else
			format = optarg;
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (!ret && strcmp(format, "table") && strcmp(format, "json"))
		ret = error_set(err, EINVAL, "invalid format option");
	if (ret)
		return ret;
	launch_sweep(globals->root, "", SIZE_MAX, true);
	return print_list(globals, quiet, !strcmp(format, "json"), err);
}
