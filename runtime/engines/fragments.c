// SPDX-License-Identifier: Apache-2.0
/* Podman and CRI-O read folders of fragments: ours is a file of its own. */
#include <errno.h>
#include <string.h>

#include "engines/engines.h"

#define MARK "# Made by \"callgate install\"; \"callgate uninstall\" removes it. "

static int edit(const struct registration *reg, const char *path, const char *old,
		const char *text, const char **new, struct error *err)
{
	*new = old;
	if (old && strncmp(old, MARK, strlen(MARK)))
		return error_set(err, EEXIST, "%s: not made by callgate install; nothing was changed",
				 path);
	*new = reg->remove ? NULL : text;
	return 0;
}

static int check_args(const struct registration *reg, const char *engine, struct error *err)
{
	if (reg->remove || !reg->nargs)
		return 0;
	return error_set(err, ENOTSUP, "%s: its configuration has no place for --runtime-args",
			 engine);
}

int podman_edit(const struct registration *reg, const char *path, const char *old,
		const char **new, struct error *err)
{
	const char *text = arena_printf(reg->arena,
					MARK "See containers.conf(5).\n"
					"[engine.runtimes]\n%s = [\"%s\"]\n",
					reg->name, reg->program);
	int ret = check_args(reg, "podman", err);

	return ret ? ret : edit(reg, path, old, text, new, err);
}

int crio_edit(const struct registration *reg, const char *path, const char *old,
	      const char **new, struct error *err)
{
	const char *text = arena_printf(reg->arena,
					MARK "See crio.conf(5).\n"
					"[crio.runtime.runtimes.%s]\n"
					"runtime_path = \"%s\"\n"
					"runtime_type = \"oci\"\n"
					"runtime_root = \"/run/callgate\"\n",
					reg->name, reg->program);
	int ret = check_args(reg, "crio", err);

	return ret ? ret : edit(reg, path, old, text, new, err);
}
