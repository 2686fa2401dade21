// SPDX-License-Identifier: Apache-2.0
/* A container's state, as files. */
#include "oci/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "vm/container.h"

#define STATE_FILE    "state.json"
#define CONFIG_FILE   "config.json"
#define STATE_MAX     (1u << 20)
#define CONFIG_MAX    (16u << 20)
#define ID_MAX_LENGTH 1024

int state_check_id(const char *id, struct error *err)
{
	const char *p = id;

	while (isalnum((unsigned char)*p) || (*p && strchr("_+-.", *p)))
		p++;
	if (!*id || *p || !strcmp(id, ".") || !strcmp(id, "..") || strlen(id) > ID_MAX_LENGTH)
		return error_set(err, EINVAL, "invalid container ID '%.100s'", id);
	return 0;
}

static int state_path(char *buf, const char *root, const char *id, const char *file,
		      struct error *err)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s%s%s", root, id, file[0] ? "/" : "", file);

	return n < PATH_MAX ? 0 : error_errno(err, ENAMETOOLONG, "%s/%s", root, id);
}

/* In the folder of a container, or in one that is going to be it: nobody looks into that. */
static int write_file(const char *root, const char *folder, const char *file, const char *text,
		      struct error *err)
{
	char path[PATH_MAX];
	int ret = state_path(path, root, folder, file, err);

	if (ret)
		return ret;
	return folder[0] == STATE_DRAFT_CHAR ? fs_write_new(path, text, strlen(text), 0600, err)
					     : fs_rewrite_file(path, text, strlen(text), 0600, err);
}

/* ---- taking an ID ---- */

/* IDs are taken and given up by one at a time. Closing the descriptor ends it. */
static int lock_root(const char *root, struct error *err)
{
	cleanup_close int fd = -1;
	int ret = fs_make_dirs(root, 0700, err);

	if (ret)
		return ret;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX))
		return error_errno(err, errno, "%s", root);
	return steal_fd(&fd);
}

/* Those who could have removed it were killed, or the machine lost power. */
static bool is_stale(const char *root, const struct container_state *s)
{
	char marker[PATH_MAX];
	struct error ignored;

	if (state_alive(s) || state_process_alive(&s->creator))
		return false;
	if (s->ephemeral || !s->init.pid)
		return true;
	/* it has never run, and who made it did not get to say so */
	return !state_path(marker, root, s->id, STATE_CREATED_FILE, &ignored) &&
	       !access(marker, F_OK);
}

static int remove_stale(const char *root, const char *id, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	struct error why;
	int ret;

	ret = state_read(root, id, &arena, &state, &why);
	if (ret == -ENOENT) /* at most an empty folder, of a removal that was cut short */
		return state_remove(root, id, err);
	if (ret && ret != -EINVAL) { /* we cannot look: that says nothing of a container */
		*err = why;
		return ret;
	}
	if (ret || !is_stale(root, &state))
		return error_set(err, EEXIST, "container with given ID already exists: %s", id);
	return state_destroy(root, &state, err);
}

/* A name that can't be an ID. */
static int make_draft(const char *root, const char *draft, const struct container_state *s,
		      const char *config, struct error *err)
{
	char path[PATH_MAX];
	int ret = state_remove(root, draft, err); /* of a process that had our number, and died */

	if (!ret)
		ret = state_path(path, root, draft, "", err);
	if (ret)
		return ret;
	if (mkdir(path, 0700))
		return error_errno(err, errno, "cannot create %s", path);
	ret = s->at_once ? 0 : write_file(root, draft, STATE_CREATED_FILE, "", err);
	if (!ret && config)
		ret = write_file(root, draft, CONFIG_FILE, config, err);
	return ret;
}

static json_t *describe(const struct container_state *s)
{
	json_t *doc = json_pack("{sisssisIsisIsIsssssssssbss}", "version", 1, "id", s->id,
				"init_process_pid", (int)s->init.pid, "init_process_start",
				(json_int_t)s->init.started, "creator_pid", (int)s->creator.pid,
				"creator_start", (json_int_t)s->creator.started, "pid_ns", (json_int_t)s->pid_ns,
				"created", s->created,
				"bundle", s->bundle ? s->bundle : "", "rootfs", s->rootfs, "cgroups_path",
				s->cgroups_path, "ephemeral", s->ephemeral, "ociVersion",
				s->oci_version ? s->oci_version : "");

	if (doc && s->machine) {
		json_object_set_new(doc, "machine", json_string(s->machine));
		json_object_set_new(doc, "machine_reason", json_string(s->machine_reason));
	}
	return doc;
}

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static int write_state(const char *root, const char *folder, const struct container_state *s,
		       struct error *err)
{
	cleanup(unref_json) json_t *doc = describe(s);
	cleanup_free char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return error_set(err, EINVAL, "cannot describe container %s in JSON", s->id);
	return write_file(root, folder, STATE_FILE, text, err);
}

int state_write(const char *root, const struct container_state *s, struct error *err)
{
	return write_state(root, s->id, s, err);
}

int state_create(const char *root, const struct container_state *s, const char *config,
		 struct error *err)
{
	cleanup_close int lock = lock_root(root, err);
	struct error ignored;
	char draft[32];
	int ret;

	if (lock < 0)
		return lock;
	ret = remove_stale(root, s->id, err);
	if (ret)
		return ret;
	snprintf(draft, sizeof(draft), "%c%d", STATE_DRAFT_CHAR, getpid());
	ret = make_draft(root, draft, s, config, err);
	if (!ret)
		ret = write_state(root, draft, s, err);
	if (!ret && renameat2(lock, draft, lock, s->id, RENAME_NOREPLACE))
		ret = error_errno(err, errno, "cannot create %s/%s", root, s->id);
	if (ret)
		(void)!state_remove(root, draft, &ignored);
	return ret;
}

/* ---- reading ---- */

static char *get_string(json_t *doc, const char *key, struct arena *arena)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return arena_strdup(arena, s ? s : "");
}

static struct state_process get_process(json_t *doc, const char *pid, const char *start)
{
	return (struct state_process){
		.pid = (pid_t)json_integer_value(json_object_get(doc, pid)),
		.started = (unsigned long long)json_integer_value(json_object_get(doc, start)),
	};
}

int state_read(const char *root, const char *id, struct arena *arena,
	       struct container_state *out, struct error *err)
{
	cleanup(unref_json) json_t *doc = NULL;
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int ret = state_check_id(id, err);

	if (!ret)
		ret = state_path(path, root, id, STATE_FILE, err);
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
		.id = arena_strdup(arena, id),
		.init = get_process(doc, "init_process_pid", "init_process_start"),
		.creator = get_process(doc, "creator_pid", "creator_start"),
		.pid_ns = (unsigned long long)json_integer_value(json_object_get(doc, "pid_ns")),
		.bundle = get_string(doc, "bundle", arena),
		.rootfs = get_string(doc, "rootfs", arena),
		.cgroups_path = get_string(doc, "cgroups_path", arena),
		.ephemeral = json_is_true(json_object_get(doc, "ephemeral")),
		.oci_version = get_string(doc, "ociVersion", arena),
		.created = get_string(doc, "created", arena),
	};
	if (json_object_get(doc, "machine")) {
		out->machine = get_string(doc, "machine", arena);
		out->machine_reason = get_string(doc, "machine_reason", arena);
	}
	return 0;
}

int state_load_spec(const char *root, const struct container_state *s, struct oci_spec **out,
		    struct error *err)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int ret = state_path(path, root, s->id, CONFIG_FILE, err);

	*out = NULL;
	if (!ret)
		ret = fs_read_file(path, CONFIG_MAX, &text, &size, err);
	if (!ret)
		ret = spec_parse(text, size, s->bundle && s->bundle[0] ? s->bundle : NULL, out, err);
	if (ret)
		return error_wrap(err, "configuration of container %s", s->id);
	(*out)->id = arena_strdup(&(*out)->arena, s->id);
	(*out)->linux_.cgroups_path = arena_strdup(&(*out)->arena, s->cgroups_path);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(const char *root, struct arena *arena, struct oci_strings *ids, struct error *err)
{
	cleanup_dir DIR *dir = opendir(root);
	struct dirent *entry;
	struct error ignored;
	size_t room = 0;

	*ids = (struct oci_strings){ 0 };
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, errno, "%s", root);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || state_check_id(entry->d_name, &ignored))
			continue;
		if (ids->n == room) {
			char **v = arena_array(arena, room * 2 + 16, sizeof(*v));

			for (size_t i = 0; i < ids->n; i++)
				v[i] = ids->v[i];
			ids->v = v;
			room = room * 2 + 16;
		}
		ids->v[ids->n++] = arena_strdup(arena, entry->d_name);
	}
	if (ids->n)
		qsort(ids->v, ids->n, sizeof(*ids->v), compare_names);
	return 0;
}

/* ---- the end, and the beginning ---- */

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
		int ret = -errno;

		close(fd);
		return ret;
	}
	/* what tells of the container goes last: half removed it can still be deleted */
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, STATE_FILE))
			unlinkat(fd, entry->d_name, 0);
	unlinkat(fd, STATE_FILE, 0);
	return unlinkat(rootfd, id, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int state_remove(const char *root, const char *id, struct error *err)
{
	cleanup_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : state_remove_at(fd, id);

	return ret && ret != -ENOENT ? error_errno(err, -ret, "cannot remove %s/%s", root, id) : 0;
}

/* One at a time, and only what the caller means: its ID may be another container's by now. */
int state_destroy(const char *root, const struct container_state *s, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	cleanup_close int lock = -1;
	struct container_state now;
	struct error ignored;
	char path[PATH_MAX];
	int ret = state_path(path, root, s->id, "", err);

	if (ret)
		return ret;
	lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "%s", path);
	if (flock(lock, LOCK_EX))
		return error_errno(err, errno, "%s", path);
	if (!state_read(root, s->id, &arena, &now, &ignored) && strcmp(now.created, s->created))
		return 0;
	ret = container_cleanup(s->cgroups_path, err);
	return ret ? ret : state_remove(root, s->id, err);
}

void state_started_in(int state_dir)
{
	unlinkat(state_dir, STATE_CREATED_FILE, 0);
}

void state_started(const char *root, const char *id)
{
	struct error ignored;
	char path[PATH_MAX];
	cleanup_close int fd = state_path(path, root, id, "", &ignored) ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		state_started_in(fd);
}
