/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a cgroup, as `callgate events` and `callgate stats` read them: each is the input. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "stats/stats.h"
#include "vm/cgroup_impl.h"

static const char *content;
static size_t length;

int cgroup_read(int dir, const char *path, char *buf, size_t size)
{
	size_t n = length < size - 1 ? length : size - 1;

	memcpy(buf, content, n);
	buf[n] = '\0';
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_int_t value;

	content = (const char *)data;
	length = size;
	(void)!stats_number(0, "file", &value);
	(void)!stats_keyed(0, "file", "anon", &value);
	json_decref(stats_table(0, "file"));
	json_decref(stats_list(0, "file"));
	json_decref(stats_entry(0, "file", "file", "file", "file"));
	return 0;
}
