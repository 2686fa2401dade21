// SPDX-License-Identifier: Apache-2.0
/* Where a container's cgroup is: from linux.cgroupsPath to a place, and from that to paths. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vm/cgroup_impl.h"

#define PATH_LIMIT (PATH_MAX - 256)

static bool take_prefix(const char **text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*text, prefix, n))
		return false;
	*text += n;
	return true;
}

struct cgroup_where cgroup_parse_place(const char *place)
{
	struct cgroup_where where = { .path = place ? place : "" };

	where.optional = take_prefix(&where.path, "optional:");
	if (take_prefix(&where.path, "user:"))
		where.systemd = where.user = true;
	else
		where.systemd = take_prefix(&where.path, "system:");
	where.none = !where.path[0] || !strcmp(where.path, "none");
	return where;
}

/* The path behind "DIR:" in lines; NULL: that hierarchy has none. */
static const char *find_line(const char *lines, const char *dir, size_t *length)
{
	size_t n = strlen(dir);

	while (*lines) {
		size_t line = strcspn(lines, "\n");

		if (line > n && lines[n] == ':' && !strncmp(lines, dir, n)) {
			*length = line - n - 1;
			return lines + n + 1;
		}
		lines += line + (lines[line] == '\n');
	}
	return NULL;
}

bool cgroup_path_in(const struct cgroup_hierarchy *h, const struct cgroup_where *where,
		    char buf[PATH_MAX])
{
	const char *path = where->path;
	size_t length = strlen(path);

	if (where->none)
		return false;
	if (path[0] != '/')
		path = find_line(path, h->dir, &length);
	if (!path || length >= PATH_LIMIT)
		return false;
	snprintf(buf, PATH_MAX, "%s%.*s", h->dir, (int)length, path);
	return true;
}

/* Without empty, "." and ".." components: it must not climb out of the hierarchy. */
static char *clean_path(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 2);
	char *text = arena_strdup(arena, path);
	char *save = NULL;

	for (char *name = strtok_r(text, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		char *last = strrchr(out, '/');

		if (!strcmp(name, ".."))
			*(last ? last : out) = '\0';
		else if (strcmp(name, "."))
			strcat(strcat(out, "/"), name);
	}
	return out;
}

/* In version 2 our own cgroup has processes, and can't have children with controllers. */
static const char *base_of(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
			   struct arena *arena)
{
	char *own = clean_path(arena, h->own);
	char *slash = strrchr(own, '/');

	if (tree->unified && slash)
		*slash = '\0';
	return own;
}

/* Relative to our own cgroup of each hierarchy. */
static int relative_place(const char *path, struct arena *arena, char **place, struct error *err)
{
	struct cgroup_tree tree;
	const char *base = NULL;
	bool same = true;
	int ret = cgroup_open(&tree, false, err);

	if (ret)
		return ret;
	*place = arena_strdup(arena, "");
	for (unsigned int i = 0; i < tree.n; i++) {
		const char *own = base_of(&tree, &tree.h[i], arena);

		same = same && (!base || !strcmp(base, own));
		base = own;
		*place = arena_printf(arena, "%s%s:%s%s\n", *place, tree.h[i].dir, own, path);
	}
	if (same)
		*place = arena_printf(arena, "%s%s", base, path);
	cgroup_close(&tree);
	return 0;
}

static int cgroupfs_place(const struct oci_spec *spec, struct arena *arena, char **place,
			  struct error *err)
{
	const char *given = spec->linux_.cgroups_path;
	char *path;
	int ret = 0;

	if (!given || !given[0]) {
		if (!geteuid()) {
			*place = arena_printf(arena, "/" CGROUP_DEFAULT_PARENT "/%s", spec->id);
			return 0;
		}
		if (relative_place(arena_printf(arena, "/%s", spec->id), arena, place, err))
			*place = arena_strdup(arena, "none"); /* none is mounted */
		else
			*place = arena_printf(arena, "optional:%s", *place);
		return 0;
	}
	path = clean_path(arena, given);
	if (!path[0] || strlen(path) >= PATH_LIMIT || strpbrk(path, "\n"))
		return error_set(err, EINVAL, "linux.cgroupsPath: '%s' is not usable", given);
	if (given[0] == '/')
		*place = path;
	else
		ret = relative_place(path, arena, place, err);
	return ret;
}

/* "a-b.slice" is in "a.slice": as paths, "/a.slice/a-b.slice". NULL: not a slice's name. */
static char *expand_slice(struct arena *arena, const char *slice)
{
	static const char suffix[] = ".slice";
	size_t n = strlen(slice);
	char *out = arena_strdup(arena, "");

	if (!strcmp(slice, "-.slice"))
		return out;
	if (n < sizeof(suffix) || strcmp(slice + n - 6, suffix) || strchr(slice, '/'))
		return NULL;
	n -= 6;
	if (slice[0] == '-' || slice[n - 1] == '-' || strstr(slice, "--"))
		return NULL;
	for (size_t i = 1; i <= n; i++) {
		if (i == n || slice[i] == '-')
			out = arena_printf(arena, "%s/%.*s%s", out, (int)i, slice, suffix);
	}
	return out;
}

/* "machine.slice:libpod:1234" -> machine.slice/libpod-1234.scope */
static int systemd_place(const struct oci_spec *spec, struct arena *arena, char **place,
			 struct error *err)
{
	const char *given = spec->linux_.cgroups_path;
	bool user = geteuid() != 0;
	char *slice = arena_strdup(arena, given && given[0] ? given : "::");
	char *prefix = strchr(slice, ':');
	char *name = prefix ? strchr(prefix + 1, ':') : NULL;
	char *path;

	if (!name || strchr(name + 1, ':') || strchr(slice, '/') || strchr(slice, '\n'))
		return error_set(err, EINVAL, "linux.cgroupsPath: expected cgroupsPath to be of format "
				 "\"slice:prefix:name\" for systemd cgroups, got '%s' instead", given);
	*prefix++ = *name++ = '\0';
	if (!slice[0])
		slice = arena_strdup(arena, user ? "user.slice" : "system.slice");
	if (!given || !given[0]) {
		prefix = arena_strdup(arena, "callgate");
		name = spec->id;
	}
	path = expand_slice(arena, slice);
	if (!path || !name[0] || strlen(path) + strlen(prefix) + strlen(name) > PATH_LIMIT)
		return error_set(err, EINVAL, "linux.cgroupsPath: invalid slice or name in '%s'", given);
	*place = arena_printf(arena, "%s/%s%s%s.scope", path, prefix, prefix[0] ? "-" : "", name);
	/* a user's systemd works below its own service */
	if (user)
		*place = arena_printf(arena, "user:/user.slice/user-%u.slice/user@%u.service%s",
				      geteuid(), geteuid(), *place);
	else
		*place = arena_printf(arena, "system:%s", *place);
	return 0;
}

int cgroup_place(const struct oci_spec *spec, enum cgroup_manager manager, struct arena *arena,
		 char **place, struct error *err)
{
	switch (manager) {
	case CGROUP_NONE:
		*place = arena_strdup(arena, "none");
		return 0;
	case CGROUP_SYSTEMD:
		return systemd_place(spec, arena, place, err);
	case CGROUP_CGROUPFS:
		break;
	}
	return cgroupfs_place(spec, arena, place, err);
}

char *cgroup_place_optional(char *place, struct arena *arena)
{
	struct cgroup_where where = cgroup_parse_place(place);

	return where.none || where.optional ? place : arena_printf(arena, "optional:%s", place);
}
