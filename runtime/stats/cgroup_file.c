// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "stats/stats.h"
#include "vm/cgroup_impl.h"

#define FILE_MAX 65536

/* To be freed; NULL: it is not there. */
static char *read_file(int dir, const char *file)
{
	char *text = malloc(FILE_MAX);

	if (text && (dir < 0 || cgroup_read(dir, file, text, FILE_MAX))) {
		free(text);
		text = NULL;
	}
	return text;
}

/* What does not fit is no limit either. */
static json_int_t to_number(const char *text)
{
	unsigned long long value = strtoull(text, NULL, 10);

	return !strncmp(text, "max", 3) || value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

bool stats_number(int dir, const char *file, json_int_t *value)
{
	cleanup_free char *text = read_file(dir, file);

	if (text)
		*value = to_number(text);
	return text != NULL;
}

bool stats_keyed(int dir, const char *file, const char *key, json_int_t *value)
{
	json_t *table = stats_table(dir, file);
	json_t *found = json_object_get(table, key);

	if (found)
		*value = json_integer_value(found);
	json_decref(table);
	return found != NULL;
}

json_t *stats_table(int dir, const char *file)
{
	cleanup_free char *text = read_file(dir, file);
	json_t *table = json_object();
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		json_object_set_new(table, line, json_integer(to_number(space + 1)));
	}
	return table;
}

json_t *stats_list(int dir, const char *file)
{
	cleanup_free char *text = read_file(dir, file);
	json_t *list = json_array();
	char *save = NULL;

	for (char *part = text ? strtok_r(text, ", \n", &save) : NULL; part;
	     part = strtok_r(NULL, ", \n", &save)) {
		unsigned long long from = strtoull(part, &part, 10);
		unsigned long long to = *part == '-' ? strtoull(part + 1, NULL, 10) : from;

		for (; from <= to && json_array_size(list) < 8192; from++)
			json_array_append_new(list, json_integer((json_int_t)from));
	}
	return list;
}

void stats_put(json_t *out, const char *key, json_int_t value)
{
	if (value)
		json_object_set_new(out, key, json_integer(value));
}

static void put_number(json_t *out, const char *key, int dir, const char *file)
{
	json_int_t value;

	if (file && stats_number(dir, file, &value))
		stats_put(out, key, value);
}

json_t *stats_entry(int dir, const char *limit, const char *usage, const char *max,
		    const char *failcnt)
{
	json_t *entry = json_object();
	json_int_t failures = 0;

	put_number(entry, "limit", dir, limit);
	put_number(entry, "usage", dir, usage);
	put_number(entry, "max", dir, max);
	if (failcnt)
		(void)!stats_number(dir, failcnt, &failures);
	json_object_set_new(entry, "failcnt", json_integer(failures));
	return entry;
}

void stats_put_blkio(json_t *list, unsigned int major, unsigned int minor, const char *op,
		     json_int_t value)
{
	json_t *entry = json_object();

	stats_put(entry, "major", major);
	stats_put(entry, "minor", minor);
	json_object_set_new(entry, "op", json_string(op));
	stats_put(entry, "value", value);
	json_array_append_new(list, entry);
}
