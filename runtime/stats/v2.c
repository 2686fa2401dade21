// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "stats/stats.h"
#include "vm/cgroup_impl.h"

static json_int_t of(const json_t *table, const char *key)
{
	return json_integer_value(json_object_get(table, key));
}

static json_t *cpu(int dir)
{
	json_t *stat = stats_table(dir, "cpu.stat"); /* microseconds */
	json_t *usage = json_object(), *throttling = json_object();

	stats_put(usage, "total", of(stat, "usage_usec") * 1000);
	json_object_set_new(usage, "kernel", json_integer(of(stat, "system_usec") * 1000));
	json_object_set_new(usage, "user", json_integer(of(stat, "user_usec") * 1000));
	stats_put(throttling, "periods", of(stat, "nr_periods"));
	stats_put(throttling, "throttledPeriods", of(stat, "nr_throttled"));
	stats_put(throttling, "throttledTime", of(stat, "throttled_usec") * 1000);
	json_decref(stat);
	return json_pack("{soso}", "usage", usage, "throttling", throttling);
}

static json_t *memory(int dir)
{
	json_t *raw = stats_table(dir, "memory.stat");
	json_t *usage = stats_entry(dir, "memory.max", "memory.current", "memory.peak", NULL);
	json_t *swap = stats_entry(dir, "memory.swap.max", "memory.swap.current", NULL, NULL);
	json_t *out = json_object();
	json_int_t failures;

	if (stats_keyed(dir, "memory.events", "max", &failures))
		json_object_set_new(usage, "failcnt", json_integer(failures));
	stats_put(out, "cache", of(raw, "file"));
	json_object_set_new(out, "usage", usage);
	json_object_set_new(out, "swap", swap);
	json_object_set_new(out, "kernel", json_pack("{si}", "failcnt", 0));
	json_object_set_new(out, "kernelTCP", json_pack("{si}", "failcnt", 0));
	json_object_set_new(out, "raw", raw);
	return out;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
static void io_line(char *line, json_t *bytes, json_t *operations)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} kinds[] = {
		{ "rbytes=", "Read", true },  { "wbytes=", "Write", true },
		{ "dbytes=", "Discard", true }, { "rios=", "Read", false },
		{ "wios=", "Write", false },  { "dios=", "Discard", false },
	};
	unsigned int major, minor;

	if (sscanf(line, "%u:%u ", &major, &minor) != 2)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *p = strstr(line, kinds[i].key);

		if (p)
			stats_put_blkio(kinds[i].bytes ? bytes : operations, major, minor, kinds[i].op,
					strtoll(p + strlen(kinds[i].key), NULL, 10));
	}
}

static json_t *io(int dir)
{
	json_t *bytes = json_array(), *operations = json_array(), *out = json_object();
	char text[32768], *save = NULL;

	if (dir < 0 || cgroup_read(dir, "io.stat", text, sizeof(text)))
		text[0] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		io_line(line, bytes, operations);
	if (json_array_size(bytes))
		json_object_set(out, "ioServiceBytesRecursive", bytes);
	if (json_array_size(operations))
		json_object_set(out, "ioServicedRecursive", operations);
	json_decref(bytes);
	json_decref(operations);
	return out;
}

void stats_v2(const struct cgroup_tree *tree, const char *place, json_t *out)
{
	cleanup_close int dir = cgroup_dir(tree, place, "");

	json_object_set_new(out, "cpu", cpu(dir));
	json_object_set_new(out, "cpuset",
			    json_pack("{soso}", "cpus", stats_list(dir, "cpuset.cpus.effective"),
				      "mems", stats_list(dir, "cpuset.mems.effective")));
	json_object_set_new(out, "memory", memory(dir));
	json_object_set_new(out, "blkio", io(dir));
}
