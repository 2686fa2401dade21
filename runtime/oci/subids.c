// SPDX-License-Identifier: Apache-2.0
#include "oci/subids.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char name[4096];
	size_t n;

	for (; path && *path; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		if (snprintf(name, sizeof(name), "%.*s/%s", (int)n, path, program) < (int)sizeof(name) &&
		    !access(name, X_OK))
			return true;
	}
	return false;
}

/* "alice:100000:65536", or "1000:100000:65536": the first line that is ours */
static bool find_range(const char *file, uint32_t *start, uint32_t *count)
{
	cleanup_file FILE *f = fopen(file, "re");
	const struct passwd *user = getpwuid(geteuid());
	char number[16];
	char line[512];
	char name[256];

	snprintf(number, sizeof(number), "%u", geteuid());
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255[^:]:%u:%u", name, start, count) != 3 || !*count)
			continue;
		if (!strcmp(name, number) || (user && !strcmp(name, user->pw_name)))
			return true;
	}
	return false;
}

/* own: itself; the numbers below and above it: from the range, in order. */
static void map_around(struct oci_id_maps *out, uint32_t own, uint32_t start, uint32_t count)
{
	uint32_t below = own < count ? own : count;

	out->n = 0;
	if (below)
		out->v[out->n++] = (struct oci_id_map){ 0, start, below };
	out->v[out->n++] = (struct oci_id_map){ own, own, 1 };
	if (count > below)
		out->v[out->n++] = (struct oci_id_map){ own + 1, start + below, count - below };
}

void subids_mappings(struct oci_linux *l, struct arena *arena)
{
	uint32_t uid_start = 0;
	uint32_t gid_start = 0;
	uint32_t uids = 0;
	uint32_t gids = 0;

	if (!in_path("newuidmap") || !in_path("newgidmap") ||
	    !find_range("/etc/subuid", &uid_start, &uids) || !find_range("/etc/subgid", &gid_start, &gids))
		uids = gids = 0;
	l->uid_mappings.v = arena_array(arena, 3, sizeof(*l->uid_mappings.v));
	l->gid_mappings.v = arena_array(arena, 3, sizeof(*l->gid_mappings.v));
	map_around(&l->uid_mappings, geteuid(), uid_start, uids);
	map_around(&l->gid_mappings, getegid(), gid_start, gids);
}
