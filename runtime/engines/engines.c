// SPDX-License-Identifier: Apache-2.0
#include "engines/engines.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/replace.h"
#include "lib/cleanup.h"
#include "lib/fs.h"

#define CONFIG_MAX (4u << 20)

/*
 * Podman and CRI-O read a folder of fragments. containerd's imports replace a plugin's whole
 * section rather than add to it (containerd issue 5837), and Docker has one file only: there our
 * part goes into the administrator's file.
 */
const struct engine engines[] = {
	{ .name = "docker", .file = "/etc/docker/daemon.json", .program = "dockerd",
	  .apply = "systemctl reload docker", .use = "docker run --runtime %s ...",
	  .edit = docker_edit },
	{ .name = "podman", .file = "/etc/containers/containers.conf.d/50-%s.conf",
	  .program = "podman", .use = "podman --runtime %s run ...", .edit = podman_edit,
	  .whole_file = true },
	{ .name = "containerd", .file = "/etc/containerd/config.toml", .program = "containerd",
	  .apply = "systemctl restart containerd", .use = "a Kubernetes RuntimeClass with handler: %s",
	  .edit = containerd_edit, .verify = containerd_verify },
	{ .name = "crio", .file = "/etc/crio/crio.conf.d/50-%s.conf", .program = "crio",
	  .apply = "systemctl restart crio", .use = "a Kubernetes RuntimeClass with handler: %s",
	  .edit = crio_edit, .whole_file = true },
	{ 0 },
};

bool engine_present(const struct engine *engine, const char *destdir)
{
	static const char *const places[] = { "/usr/bin", "/usr/sbin", "/usr/local/bin",
					      "/usr/local/sbin" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s%s/%s", destdir, places[i], engine->program);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

const char *engine_file(const struct engine *engine, const struct registration *reg)
{
	const char *hole = strstr(engine->file, "%s");

	if (!hole)
		return arena_printf(reg->arena, "%s%s", reg->destdir, engine->file);
	return arena_printf(reg->arena, "%s%.*s%s%s", reg->destdir, (int)(hole - engine->file),
			    engine->file, reg->name, hole + 2);
}

/* *text is NULL if there is no such file. */
static int read_config(const struct registration *reg, const char *path, char **text,
		       struct error *err)
{
	struct stat st;
	size_t size;
	int ret;

	*text = NULL;
	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(err, errno, "%s", path);
	if (S_ISLNK(st.st_mode) && reg->destdir[0])
		return error_set(err, ELOOP, "%s is a symbolic link: it may lead out of %s", path,
				 reg->destdir);
	ret = fs_read_file(path, CONFIG_MAX, text, &size, err);
	if (!ret && strlen(*text) != size)
		return error_set(err, EINVAL, "%s: not a text file", path);
	return ret;
}

int engine_registered(const struct engine *engine, const struct registration *reg,
		      struct error *err)
{
	struct registration removal = *reg;
	const char *path = engine_file(engine, reg);
	cleanup_free char *old = NULL;
	const char *new;
	int ret = read_config(reg, path, &old, err);

	if (ret || !old)
		return ret;
	removal.remove = true;
	ret = engine->edit(&removal, path, old, &new, err);
	if (ret == -EBUSY)
		return 1; /* it is the standard one */
	return ret ? ret : new != old;
}

static void say(const struct registration *reg, const struct engine *engine, const char *path,
		const char *what, const char *backup)
{
	printf("%s: %s: %s%s", engine->name, path, reg->dry_run ? "would be " : "", what);
	if (backup[0])
		printf(" (as it was: %s)", backup);
	putchar('\n');
}

int engine_change(const struct engine *engine, const struct registration *reg, bool *changed,
		  struct error *err)
{
	const char *path = engine_file(engine, reg);
	cleanup_free char *old = NULL;
	char backup[PATH_MAX] = "";
	const char *new = NULL;
	int ret = read_config(reg, path, &old, err);

	*changed = false;
	if (!ret)
		ret = engine->edit(reg, path, old, &new, err);
	if (ret)
		return ret;
	if (new == old || (new && old && !strcmp(new, old))) {
		printf("%s: %s: %s\n", engine->name, path,
		       reg->remove ? "not registered" : "registered already");
		return 0;
	}
	*changed = true;
	if (!reg->dry_run) {
		/* a file that goes has nothing in it but our part */
		ret = replace_file(path, new, old && new && !engine->whole_file ? backup : NULL,
				   reg->destdir[0] ? NULL : engine->verify, err);
		if (ret)
			return ret;
	}
	say(reg, engine, path, !new ? "removed" : !old ? "created" : "changed", backup);
	if (reg->dry_run && new)
		printf("%s", new);
	return 0;
}
