// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "stats/stats.h"

/* The host's interfaces are no container's. */
static bool own_namespace(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/net", &ours) &&
	       theirs.st_ino != ours.st_ino;
}

/* A line of /proc/net/dev: eight numbers received, eight sent. */
static json_t *parse_line(char *line)
{
	static const char *const keys[16] = { "RxBytes", "RxPackets", "RxErrors", "RxDropped",
					      [8] = "TxBytes", "TxPackets", "TxErrors",
					      "TxDropped" };
	char *colon = strchr(line, ':');
	json_t *out;

	if (!colon)
		return NULL;
	*colon++ = '\0';
	line += strspn(line, " ");
	if (!strcmp(line, "lo"))
		return NULL;
	out = json_pack("{ss}", "Name", line);
	for (int i = 0; i < 16; i++) {
		long long value = strtoll(colon, &colon, 10);

		if (keys[i])
			json_object_set_new(out, keys[i], json_integer(value));
	}
	return out;
}

json_t *stats_network(pid_t pid)
{
	cleanup_free char *text = NULL;
	struct error ignored;
	char path[64], *save = NULL;
	json_t *out;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	if (!own_namespace(pid) || fs_read_file(path, 1 << 20, &text, &size, &ignored))
		return json_null();
	out = json_array();
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		json_array_append_new(out, parse_line(line));
	return out;
}
