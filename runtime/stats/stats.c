// SPDX-License-Identifier: Apache-2.0
#include "stats/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* A size of huge pages has a file of its own: "hugetlb.2MB.FILE". */
static void hugetlb_size(int dir, bool unified, const char *size, json_t *out)
{
	char usage[64], max[64], failures[64];
	json_int_t failcnt = 0;
	json_t *entry;

	snprintf(usage, sizeof(usage), "hugetlb.%.20s.%s", size, unified ? "current" : "usage_in_bytes");
	snprintf(max, sizeof(max), "hugetlb.%.20s.max_usage_in_bytes", size);
	snprintf(failures, sizeof(failures), "hugetlb.%.20s.%s", size, unified ? "events" : "failcnt");
	entry = stats_entry(dir, NULL, usage, unified ? NULL : max, unified ? NULL : failures);
	if (unified && stats_keyed(dir, failures, "max", &failcnt))
		json_object_set_new(entry, "failcnt", json_integer(failcnt));
	json_object_set_new(out, size, entry);
}

static json_t *hugetlb(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "hugetlb");
	int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	json_t *out = json_object();
	struct dirent *entry;
	char size[32], file[64];

	while (list && (entry = readdir(list))) {
		if (sscanf(entry->d_name, "hugetlb.%31[^.].%63s", size, file) == 2 &&
		    !strcmp(file, tree->unified ? "current" : "usage_in_bytes"))
			hugetlb_size(dir, tree->unified, size, out);
	}
	return out;
}

static json_t *pids(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "pids");
	json_t *out = json_object();
	json_int_t value;

	if (stats_number(dir, "pids.current", &value))
		stats_put(out, "current", value);
	if (stats_number(dir, "pids.max", &value) && value != INT64_MAX)
		stats_put(out, "limit", value);
	return out;
}

json_t *stats_collect(const struct cgroup_tree *tree, const char *place, pid_t pid)
{
	json_t *out = json_object();

	if (tree->unified)
		stats_v2(tree, place, out);
	else
		stats_v1(tree, place, out);
	json_object_set_new(out, "pids", pids(tree, place));
	json_object_set_new(out, "hugetlb", hugetlb(tree, place));
	json_object_set_new(out, "intel_rdt", json_object());
	json_object_set_new(out, "network_interfaces", stats_network(pid));
	return out;
}
