// SPDX-License-Identifier: Apache-2.0
#include "oci/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "vm/container.h"

#define STATE_FILE     "state.json"
#define STATE_MAX      (1u << 20)
#define ID_MAX_LENGTH  1024

int state_check_id(const char *id, struct error *err)
{
	const char *p = id;

	while (isalnum((unsigned char)*p) || (*p && strchr("_+-.", *p)))
		p++;
	if (!*id || *p || !strcmp(id, ".") || !strcmp(id, "..") || strlen(id) > ID_MAX_LENGTH)
		return error_set(err, EINVAL, "invalid container ID '%.100s'", id);
	return 0;
}

unsigned long long state_start_time(pid_t pid)
{
	cleanup_free char *text = NULL;
	unsigned long long when = 0;
	struct error ignored;
	char path[64];
	size_t size;
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs_read_file(path, 65536, &text, &size, &ignored))
		return 0;
	/* the second field is a name in parentheses, which may have any of them in it */
	p = strrchr(text, ')');
	/* dead, and only its parent does not know yet */
	if (p && p[1] && p[2] && strchr("ZX", p[2]))
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		sscanf(p, " %llu", &when);
	return when;
}

bool state_alive(const struct container_state *state)
{
	return state->pid > 0 && state->started && state_start_time(state->pid) == state->started;
}

static int state_path(char *buf, const char *root, const char *id, const char *file,
		      struct error *err)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s%s%s", root, id, file[0] ? "/" : "", file);

	return n < PATH_MAX ? 0 : error_errno(err, ENAMETOOLONG, "%s/%s", root, id);
}

/*
 * Both the runtime and the hypervisor were killed, or the machine lost power in between:
 * then nobody could. A state that can't be read is somebody else's problem.
 */
static int remove_stale(const char *root, const char *id, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	struct error why;
	int ret;

	if (state_read(root, id, &arena, &state, &why) || state_alive(&state))
		return error_set(err, EEXIST, "container with id %s exists already", id);
	ret = container_cleanup(state.cgroups_path, err);
	return ret ? ret : state_remove(root, id, err);
}

int state_create(const char *root, const char *id, struct error *err)
{
	char dir[PATH_MAX];
	int ret = state_path(dir, root, id, "", err);

	if (!ret)
		ret = fs_make_dirs(root, 0700, err);
	if (ret)
		return ret;
	if (!mkdir(dir, 0700))
		return 0;
	if (errno != EEXIST)
		return error_errno(err, errno, "cannot create %s", dir);
	ret = remove_stale(root, id, err);
	if (ret)
		return ret;
	return mkdir(dir, 0700) ? error_errno(err, errno, "cannot create %s", dir) : 0;
}

static void unref_json(json_t **value)
{
	json_decref(*value);
}

int state_write(const char *root, const struct container_state *s, struct error *err)
{
	cleanup(unref_json) json_t *doc =
		json_pack("{sssisIsssssssssi}", "id", s->id, "init_process_pid", (int)s->pid,
			  "init_process_start", (json_int_t)s->started, "created", s->created,
			  "bundle", s->bundle ? s->bundle : "", "rootfs", s->rootfs, "cgroups_path",
			  s->cgroups_path, "version", 1);
	cleanup_free char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	char path[PATH_MAX];
	int ret = state_path(path, root, s->id, STATE_FILE, err);

	if (ret)
		return ret;
	if (!text)
		return error_set(err, EINVAL, "cannot describe container %s in JSON", s->id);
	return fs_write_file(path, text, strlen(text), 0600, err);
}

static char *get_string(json_t *doc, const char *key, struct arena *arena)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return arena_strdup(arena, s ? s : "");
}

int state_read(const char *root, const char *id, struct arena *arena,
	       struct container_state *out, struct error *err)
{
	cleanup(unref_json) json_t *doc = NULL;
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int ret = state_path(path, root, id, STATE_FILE, err);

	if (!ret)
		ret = fs_read_file(path, STATE_MAX, &text, &size, err);
	if (ret == -ENOENT)
		return error_set(err, ENOENT, "container does not exist: %s", id);
	if (ret)
		return ret;
	doc = json_loadb(text, size, 0, NULL);
	if (!doc)
		return error_set(err, EINVAL, "%s: not valid JSON", path);
	*out = (struct container_state){
		.id = get_string(doc, "id", arena),
		.pid = (pid_t)json_integer_value(json_object_get(doc, "init_process_pid")),
		.started = (unsigned long long)json_integer_value(
			json_object_get(doc, "init_process_start")),
		.bundle = get_string(doc, "bundle", arena),
		.rootfs = get_string(doc, "rootfs", arena),
		.cgroups_path = get_string(doc, "cgroups_path", arena),
		.created = get_string(doc, "created", arena),
	};
	return 0;
}

/* The folder is flat, and nobody else's: no link can lead out of it. */
int state_remove_at(int rootfd, const char *id)
{
	cleanup_dir DIR *dir = NULL;
	int fd = openat(rootfd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)))
		unlinkat(fd, entry->d_name, 0);
	return unlinkat(rootfd, id, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int state_remove(const char *root, const char *id, struct error *err)
{
	cleanup_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : state_remove_at(fd, id);

	return ret ? error_errno(err, -ret, "cannot remove %s/%s", root, id) : 0;
}
