// SPDX-License-Identifier: Apache-2.0
/* Writes limits into the files of a cgroup, and asks what they are. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "vm/cgroup_impl.h"

/* Files that take several lines take one at a time. */
static int write_lines(int dir, const char *file, const char *value)
{
	int ret = 0;

	if (!strchr(value, '\n'))
		return cgroup_write(dir, file, value);
	while (!ret && *value) {
		size_t n = strcspn(value, "\n");
		char line[512];

		snprintf(line, sizeof(line), "%.*s", (int)n, value);
		if (n)
			ret = cgroup_write(dir, file, line);
		value += n + (value[n] == '\n');
	}
	return ret;
}

static int write_setting(int dir, struct cgroup_setting *s)
{
	int ret = write_lines(dir, s->file, s->value);

	if (ret == -ENOENT && s->fallback) {
		s->file = s->fallback;
		s->value = s->fallback_value ? s->fallback_value : s->value;
		ret = write_lines(dir, s->file, s->value);
	}
	if (ret == -ENOENT && s->optional)
		ret = 0;
	s->done = !ret;
	return ret;
}

/* Is this controller there for the cgroup? Version 2 knows by directory. */
static bool controller_there(int dir, const char *controller)
{
	char have[512];
	size_t n = strlen(controller);

	if (!strcmp(controller, "cgroup") || cgroup_read(dir, "cgroup.controllers", have, sizeof(have)))
		return true;
	for (const char *p = have; (p = strstr(p, controller)); p += n) {
		if ((p == have || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	}
	return false;
}

static int setting_error(const struct cgroup_tree *tree, int dir, const struct cgroup_setting *s,
			 int error, struct error *err)
{
	char usage[32];

	if (tree->unified && error == -ENOENT && !controller_there(dir, s->controller))
		return error_set(err, ENOTSUP, "%s: the cgroup has no %s controller", s->property,
				 s->controller);
	if (error == -EBUSY && !cgroup_read(dir, "memory.usage_in_bytes", usage, sizeof(usage)))
		return error_errno(err, EBUSY, "%s: unable to set memory limit to %s (current usage: %s)",
				   s->property, s->value, usage);
	return error_errno(err, -error, "%s: cannot write '%s' to %s", s->property, s->value, s->file);
}

/* The kernel cuts version 1 shares to its range without a word. */
static int check_shares(int dir, const struct cgroup_setting *s, struct error *err)
{
	char now[32];
	uint64_t wanted, is;

	if (strcmp(s->file, "cpu.shares") || cgroup_read(dir, s->file, now, sizeof(now)) ||
	    sscanf(now, "%" SCNu64, &is) != 1 || sscanf(s->value, "%" SCNu64, &wanted) != 1)
		return 0;
	if (wanted == is)
		return 0;
	return error_set(err, EINVAL, "%s: the %s allowed cpu-shares is %" PRIu64, s->property,
			 wanted > is ? "maximum" : "minimum", is);
}

/* memory.checkBeforeUpdate: version 2 takes a limit below the usage, and then kills. Version 1 refuses it by itself. */
static int check_usage(int dir, const struct cgroup_settings *settings, struct error *err)
{
	char text[32];
	uint64_t usage, limit;

	if (!settings->check_usage || cgroup_read(dir, "memory.current", text, sizeof(text)) ||
	    sscanf(text, "%" SCNu64, &usage) != 1)
		return 0;
	for (unsigned int i = 0; i < settings->n; i++) {
		const struct cgroup_setting *s = &settings->v[i];

		if (!strcmp(s->file, "memory.max") && sscanf(s->value, "%" SCNu64, &limit) == 1 && limit < usage)
			return error_set(err, EBUSY, "%s: unable to set memory limit to %" PRIu64
					 " (current usage: %" PRIu64 ")", s->property, limit, usage);
	}
	return 0;
}

static bool belongs(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
		    const struct cgroup_setting *s)
{
	return !s->done && (tree->unified || cgroup_has(h, s->controller));
}

/*
 * Some values fit together only when both are new (a limit of memory and one of memory and
 * swap; quota and period): what is refused is tried once more when the others are there.
 */
int cgroup_apply(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h, int dir,
		 struct cgroup_settings *settings, struct error *err)
{
	int ret = check_usage(dir, settings, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < settings->n; i++) {
		if (belongs(tree, h, &settings->v[i]))
			(void)!write_setting(dir, &settings->v[i]);
	}
	for (unsigned int i = 0; !ret && i < settings->n; i++) {
		struct cgroup_setting *s = &settings->v[i];

		if (belongs(tree, h, s))
			ret = write_setting(dir, s);
		if (ret)
			return setting_error(tree, dir, s, ret, err);
		if (cgroup_has(h, "cpu"))
			ret = check_shares(dir, s, err);
	}
	return ret;
}

/* In the line "key N" of the file. */
static bool read_key(int dir, const char *file, const char *key, unsigned long long *value)
{
	char text[8192];
	size_t n = strlen(key);

	if (cgroup_read(dir, file, text, sizeof(text)))
		return false;
	for (const char *p = text; (p = strstr(p, key)); p += n) {
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return sscanf(p + n, " %llu", value) == 1;
	}
	return false;
}

unsigned long cgroup_oom_kills(int dir)
{
	unsigned long long kills = 0;

	if (dir >= 0 && !read_key(dir, "memory.events", "oom_kill", &kills))
		(void)!read_key(dir, "memory.oom_control", "oom_kill", &kills);
	return kills;
}

/* Version 1 answers "no limit" by the highest number of pages. */
#define NO_LIMIT_V1 0x7ffffffffffff000ULL

static unsigned long long limit_v1(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "memory");
	unsigned long long limit = 0;

	if (dir < 0 || !read_key(dir, "memory.stat", "hierarchical_memory_limit", &limit))
		return 0;
	return limit >= NO_LIMIT_V1 ? 0 : limit;
}

/* A program that tries to use more than its pod may is no better off for not knowing. */
static unsigned long long limit_v2(const struct cgroup_tree *tree, const char *place)
{
	struct cgroup_where where = cgroup_parse_place(place);
	unsigned long long least = 0, limit;
	char path[PATH_MAX], text[32];
	char *slash;

	if (!cgroup_path_in(&tree->h[0], &where, path))
		return 0;
	do {
		cleanup_close int dir = openat(tree->fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && !cgroup_read(dir, "memory.max", text, sizeof(text)) &&
		    sscanf(text, "%llu", &limit) == 1 && (!least || limit < least))
			least = limit;
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return least;
}

unsigned long long cgroup_memory_limit(const struct cgroup_tree *tree, const char *place)
{
	return tree->unified ? limit_v2(tree, place) : limit_v1(tree, place);
}
