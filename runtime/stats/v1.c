// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "stats/stats.h"
#include "vm/cgroup_impl.h"

/* A line for each CPU, and a title: "0 1234 567" is CPU, user, system. */
static void per_cpu(int dir, json_t *out)
{
	json_t *user = json_array(), *kernel = json_array();
	char text[65536], *save = NULL;
	unsigned long long u, k;

	if (dir < 0 || cgroup_read(dir, "cpuacct.usage_all", text, sizeof(text)))
		text[0] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%*u %llu %llu", &u, &k) != 2)
			continue;
		json_array_append_new(user, json_integer((json_int_t)u));
		json_array_append_new(kernel, json_integer((json_int_t)k));
	}
	json_object_set_new(out, "percpu_kernel", kernel);
	json_object_set_new(out, "percpu_user", user);
}

static json_t *usage(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "cpuacct");
	long ns = 1000000000 / sysconf(_SC_CLK_TCK);
	json_int_t user = 0, kernel = 0, total = 0;
	json_t *out = json_object();

	(void)!stats_number(dir, "cpuacct.usage", &total);
	(void)!stats_keyed(dir, "cpuacct.stat", "user", &user);
	(void)!stats_keyed(dir, "cpuacct.stat", "system", &kernel);
	stats_put(out, "total", total);
	json_object_set_new(out, "percpu", stats_list(dir, "cpuacct.usage_percpu"));
	per_cpu(dir, out);
	json_object_set_new(out, "kernel", json_integer(kernel * ns));
	json_object_set_new(out, "user", json_integer(user * ns));
	return out;
}

static json_t *throttling(const struct cgroup_tree *tree, const char *place)
{
	static const char *const keys[][2] = { { "nr_periods", "periods" },
					       { "nr_throttled", "throttledPeriods" },
					       { "throttled_time", "throttledTime" } };
	cleanup_close int dir = cgroup_dir(tree, place, "cpu");
	json_t *out = json_object();
	json_int_t value;

	for (size_t i = 0; i < 3; i++)
		if (stats_keyed(dir, "cpu.stat", keys[i][0], &value))
			stats_put(out, keys[i][1], value);
	return out;
}

static json_t *cpuset(const struct cgroup_tree *tree, const char *place)
{
	static const char *const numbers[] = {
		"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate",
		"memory_spread_page", "memory_spread_slab", "memory_pressure",
		"sched_load_balance", "sched_relax_domain_level",
	};
	cleanup_close int dir = cgroup_dir(tree, place, "cpuset");
	json_t *out = json_object();
	char file[64], text[32];

	json_object_set_new(out, "cpus", stats_list(dir, "cpuset.cpus"));
	json_object_set_new(out, "mems", stats_list(dir, "cpuset.mems"));
	for (size_t i = 0; dir >= 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(file, sizeof(file), "cpuset.%s", numbers[i]);
		/* sched_relax_domain_level may be -1 */
		if (!cgroup_read(dir, file, text, sizeof(text)))
			json_object_set_new(out, numbers[i], json_integer(strtoll(text, NULL, 10)));
	}
	return out;
}

static json_t *memory(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "memory");
	json_t *out = json_object();
	json_t *raw = stats_table(dir, "memory.stat");

#define ENTRY(prefix)                                                                       \
	stats_entry(dir, "memory." prefix "limit_in_bytes", "memory." prefix "usage_in_bytes", \
		    "memory." prefix "max_usage_in_bytes", "memory." prefix "failcnt")
	stats_put(out, "cache", json_integer_value(json_object_get(raw, "cache")));
	json_object_set_new(out, "usage", ENTRY(""));
	json_object_set_new(out, "swap", ENTRY("memsw."));
	json_object_set_new(out, "kernel", ENTRY("kmem."));
	json_object_set_new(out, "kernelTCP", ENTRY("kmem.tcp."));
#undef ENTRY
	json_object_set_new(out, "raw", raw);
	return out;
}

/* "8:0 Read 4096" in each line, and a "Total N". */
static void blkio_file(int dir, const char *file, const char *key, json_t *out)
{
	json_t *list = json_array();
	char text[32768], op[32], *save = NULL;
	unsigned int major, minor;
	unsigned long long value;

	if (cgroup_read(dir, file, text, sizeof(text)))
		text[0] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u:%u %31s %llu", &major, &minor, op, &value) == 4)
			stats_put_blkio(list, major, minor, op, (json_int_t)value);
	if (json_array_size(list))
		json_object_set(out, key, list);
	json_decref(list);
}

static json_t *blkio(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "blkio");
	json_t *out = json_object();

	if (dir < 0)
		return out;
	blkio_file(dir, "blkio.throttle.io_service_bytes", "ioServiceBytesRecursive", out);
	blkio_file(dir, "blkio.throttle.io_serviced", "ioServicedRecursive", out);
	return out;
}

void stats_v1(const struct cgroup_tree *tree, const char *place, json_t *out)
{
	json_object_set_new(out, "cpu", json_pack("{soso}", "usage", usage(tree, place), "throttling",
						  throttling(tree, place)));
	json_object_set_new(out, "cpuset", cpuset(tree, place));
	json_object_set_new(out, "memory", memory(tree, place));
	json_object_set_new(out, "blkio", blkio(tree, place));
}
