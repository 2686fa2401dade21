// SPDX-License-Identifier: Apache-2.0
#include "launch/rootless.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vm/cgroup.h"

#define SYSTEM_ROOT "/run/callgate"

static bool in_user_namespace(void)
{
	cleanup_file FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned int inside;
	unsigned int outside;
	unsigned int count;

	if (!f || fscanf(f, "%u %u %u", &inside, &outside, &count) != 3)
		return false;
	return inside || outside || count != UINT_MAX;
}

/* A rootless engine runs us as the root of its namespace, but leaves its user's environment. */
static bool has_own_state(void)
{
	const char *user = getenv("USER");

	if (geteuid())
		return true;
	return in_user_namespace() && (!user || strcmp(user, "root"));
}

/* Without a folder of our own at login there is only /tmp, where others may have been before us. */
static bool is_ours(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) && lstat(path, &st))
		return false;
	return !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077);
}

const char *rootless_state_root(void)
{
	static char path[PATH_MAX];
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

	if (!has_own_state())
		return SYSTEM_ROOT;
	if (runtime_dir && runtime_dir[0]) {
		snprintf(path, sizeof(path), "%s/callgate", runtime_dir);
		return path;
	}
	snprintf(path, sizeof(path), "/run/user/%u", geteuid());
	if (!access(path, W_OK)) {
		strcat(path, "/callgate");
		return path;
	}
	snprintf(path, sizeof(path), "/tmp/callgate-%u", geteuid());
	return is_ours(path) ? path : SYSTEM_ROOT;
}

static bool rootless_cgroups(const struct globals *globals)
{
	if (globals->rootless != ROOTLESS_AUTO)
		return globals->rootless == ROOTLESS_YES;
	return geteuid() || in_user_namespace();
}

int rootless_prepare(const struct globals *globals, struct oci_spec *spec, struct error *err)
{
	char **place = &spec->linux_.cgroups_path;
	int ret;

	if (geteuid() && !spec->linux_.namespaces[OCI_NS_USER].present)
		return error_set(err, EPERM, "linux.namespaces: user: who is not root needs one of his own "
					     "(see callgate spec --rootless)");
	ret = cgroup_place(spec, globals->cgroup_manager, &spec->arena, place, err);
	if (!ret && rootless_cgroups(globals))
		*place = cgroup_place_optional(*place, &spec->arena);
	return ret;
}
