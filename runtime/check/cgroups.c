// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "check/check.h"
#include "lib/cleanup.h"
#include "lib/fs.h"

#define TOP "/sys/fs/cgroup"

/* The controllers that limits of a configuration need; a missing one refuses its limit only. */
static const char *const wanted[] = { "cpu", "cpuset", "io", "memory", "pids" };
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n) {
		if ((p == text || strchr(" \n,", p[-1])) && (!p[n] || strchr(" \n,", p[n])))
			return true;
	}
	return false;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool present(bool v2, const char *controllers, const char *name)
{
	char path[PATH_MAX];

	if (v2)
		return has_word(controllers, name);
	snprintf(path, sizeof(path), TOP "/%s", strcmp(name, "io") ? name : "blkio");
	return is_directory(path);
}

/* Containers get a cgroup: make one, as they do. */
static int try_to_make(bool v2)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), TOP "%s/callgate-check-%d", v2 ? "" : "/pids", getpid());
	if (mkdir(path, 0755))
		return errno;
	return rmdir(path) ? errno : 0;
}

static void check_controllers(struct report *r, bool v2, const char *layout)
{
	cleanup_free char *controllers = NULL;
	char missing[128] = "";
	struct error err;
	size_t size;

	if (v2 && fs_read_file(TOP "/cgroup.controllers", 65536, &controllers, &size, &err)) {
		report(r, "cgroups", CHECK_WARNING, "mount a cgroup2 file system there", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < WANTED; i++) {
		if (present(v2, controllers, wanted[i]))
			continue;
		strcat(missing, " ");
		strcat(missing, wanted[i]);
	}
	if (missing[0])
		report(r, "cgroups", CHECK_WARNING, "see the kernel's option cgroup_disable, and CONFIG_*",
		       "%s, without%s: such limits are refused", layout, missing);
	else
		report(r, "cgroups", CHECK_OK, NULL, "%s, with cpu, cpuset, io, memory, pids", layout);
}

void check_cgroups(struct report *r)
{
	struct statfs top = { 0 };
	struct statfs unified = { 0 };
	bool v2;
	int ret;

	if (statfs(TOP, &top)) {
		report(r, "cgroups", CHECK_MISSING, "mount the cgroup file systems", TOP ": %s",
		       strerrordesc_np(errno));
		return;
	}
	v2 = top.f_type == CGROUP2_SUPER_MAGIC;
	statfs(TOP "/unified", &unified);
	check_controllers(r, v2, v2 ? "version 2"
			  : unified.f_type == CGROUP2_SUPER_MAGIC ? "version 1 and 2 (hybrid)"
			  : "version 1");
	if (geteuid())
		return; /* an ordinary user's are made by systemd */
	ret = try_to_make(v2);
	if (!ret)
		report(r, "cgroups writable", CHECK_OK, NULL, "one was made, and removed");
	else
		report(r, "cgroups writable", CHECK_MISSING,
		       "remount " TOP " read-write, or give the outer container its own cgroup namespace",
		       "%s", strerrordesc_np(ret));
}
