// SPDX-License-Identifier: Apache-2.0
#include "policy/toml.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define HELPER   "callgate-toml"
#define TOML_MAX (1u << 20)

/* Beside the program, where it was built; or where it is installed. */
static void find_helper(char path[PATH_MAX])
{
	char exe[PATH_MAX - sizeof(HELPER) - 1];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/'))
		*strrchr(exe, '/') = '\0';
	snprintf(path, PATH_MAX, "%s/" HELPER, exe);
	if (access(path, X_OK))
		snprintf(path, PATH_MAX, CALLGATE_LIBEXECDIR "/" HELPER);
}

/* Its output and its complaints, each in a file in memory. The wait status, or -errno. */
static int run_helper(const char *file, int out, int complaints)
{
	char helper[PATH_MAX];
	char *const argv[] = { (char[]){ HELPER }, (char *)file, NULL };
	char *const env[] = { NULL };
	posix_spawn_file_actions_t actions;
	int ret, status;
	pid_t pid;

	find_helper(helper);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
	ret = posix_spawn(&pid, helper, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		return -ret;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

static char *content_of(int fd, size_t *size)
{
	off_t n = lseek(fd, 0, SEEK_END);
	char *text = n >= 0 && n < 64 * (off_t)TOML_MAX ? calloc(1, (size_t)n + 1) : NULL;

	if (!text || pread(fd, text, (size_t)n, 0) != n) {
		free(text);
		return NULL;
	}
	*size = (size_t)n;
	return text;
}

static int parse_output(int fd, struct toml *out, struct error *err)
{
	size_t size = 0;
	cleanup_free char *text = content_of(fd, &size);
	json_t *all = text ? json_load_text(text, size, err) : NULL;

	if (!all)
		return error_set(err, EIO, "%s: what " HELPER " says of it can't be read", out->path);
	out->data = json_incref(json_object_get(all, "data"));
	out->lines = json_incref(json_object_get(all, "lines"));
	json_decref(all);
	return 0;
}

/* "FILE:LINE:COLUMN: reason" of the helper, without the end of its line. */
static int invalid(int fd, const char *path, struct error *err)
{
	size_t size = 0;
	cleanup_free char *text = content_of(fd, &size);

	if (!text || !size)
		return error_set(err, EIO, "%s: " HELPER " failed", path);
	return error_set(err, EINVAL, "%.*s", (int)strcspn(text, "\n"), text);
}

int toml_load(const char *path, struct toml *out, struct error *err)
{
	cleanup_close int answer = -1;
	cleanup_close int complaints = -1;
	struct stat st;
	int status;

	*out = (struct toml){ .path = path };
	if (stat(path, &st))
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > TOML_MAX)
		return error_set(err, EINVAL, "%s: expected a regular file of at most 1 MiB", path);
	answer = memfd_create("toml", MFD_CLOEXEC);
	complaints = memfd_create("toml-errors", MFD_CLOEXEC);
	if (answer < 0 || complaints < 0)
		return error_errno(err, errno, "%s", path);
	status = run_helper(path, answer, complaints);
	if (status < 0)
		return error_errno(err, -status, HELPER);
	return status ? invalid(complaints, path, err) : parse_output(answer, out, err);
}

void toml_unload(struct toml *toml)
{
	json_decref(toml->data);
	json_decref(toml->lines);
	toml->data = toml->lines = NULL;
}

/* The line of the key that an error's text begins with; of what is above it, if the key is not there. */
static int line_of(const struct toml *toml, const char *text)
{
	char key[256];
	size_t n = strcspn(text, ": ");

	snprintf(key, sizeof(key), "%.*s", (int)n, text);
	for (n = strlen(key); n; n--) {
		json_t *line;

		if (key[n] && key[n] != '.' && key[n] != '[')
			continue;
		key[n] = '\0';
		line = json_object_get(toml->lines, key);
		if (line)
			return (int)json_integer_value(line);
	}
	return 0;
}

static bool known(const struct json_field *table, const char *key)
{
	for (const struct json_field *f = table; f->name; f++)
		if (!strcmp(f->name, key))
			return true;
	return false;
}

static int unknown_key(const struct json_at *at, const struct json_field *table, struct error *err)
{
	char names[300] = "";
	size_t n = 0;

	for (const struct json_field *f = table; f->name && n < sizeof(names); f++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", f->name);
	return json_error(at, err, "unknown key; expected one of %s", names);
}

static int check_value(const struct json_at *at, const struct json_field *table, struct error *err)
{
	for (const struct json_field *f = table; f->name; f++) {
		if (strcmp(f->name, at->key) || !f->sub)
			continue;
		if (f->kind != JSON_KIND_ARRAY)
			return toml_check_keys(at, f->sub, err);
		for (size_t i = 0; i < json_array_size(at->value); i++) {
			struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };
			int ret = toml_check_keys(&elem, f->sub, err);

			if (ret)
				return ret;
		}
	}
	return 0;
}

int toml_check_keys(const struct json_at *at, const struct json_field *table, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(at->value, key, value) {
		struct json_at elem = { at, key, 0, value };
		int ret = known(table, key) ? check_value(&elem, table, err) :
					      unknown_key(&elem, table, err);

		if (ret)
			return ret;
	}
	return 0;
}

int toml_fields(const struct toml *toml, const struct json_field *table, void *base,
		struct arena *arena, struct error *err)
{
	const struct json_at at = { NULL, NULL, 0, toml->data };
	int ret = toml_check_keys(&at, table, err);
	int line;

	if (!ret)
		ret = json_fields(&at, table, base, arena, err);
	if (!ret)
		return 0;
	line = line_of(toml, err->text);
	return line ? error_wrap(err, "%s:%d", toml->path, line) : error_wrap(err, "%s", toml->path);
}
