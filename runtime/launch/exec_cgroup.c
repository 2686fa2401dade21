// SPDX-License-Identifier: Apache-2.0
/*
 * What exec starts is charged to the container: its cgroups are those its hypervisor is in, whatever driver and
 * version they are of.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "launch/exec.h"
#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/fs.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

/* The folder of a hierarchy by its column in /proc/PID/cgroup. */
static const char *folder_of(const char *controllers)
{
	struct statfs fs;

	if (!controllers[0])
		return !statfs(CGROUP_MOUNT, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC ? "." : "unified";
	return strncmp(controllers, "name=", 5) ? controllers : controllers + 5;
}

/* -1: it is not mounted. */
static int open_folder(const char *controllers)
{
	char place[PATH_MAX];

	snprintf(place, sizeof(place), CGROUP_MOUNT "/%s", folder_of(controllers));
	return open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* "4:memory:/callgate/x". Hierarchies that are not mounted are nobody's loss. */
static int join(char *line, struct error *err)
{
	cleanup_close int dir = -1;
	cleanup_close int fd = -1;
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	char place[PATH_MAX];

	if (!path)
		return 0;
	*path++ = '\0';
	controllers++;
	dir = open_folder(controllers);
	if (dir < 0)
		return 0;
	/* of a process with one thread; as in vm/cgroup.c, that does without the wait of cgroup.procs */
	snprintf(place, sizeof(place), "./%s/%s", path, controllers[0] ? "tasks" : "cgroup.procs");
	fd = openat(dir, place, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) < 0)
		return error_errno(err, errno, "cannot enter the container's cgroup %s:%s", controllers, path);
	return 0;
}

static int read_cgroups(const char *who, char **text, struct error *err)
{
	char path[64];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", who);
	return fs_read_file(path, 65536, text, &size, err);
}

/* Is this line in our own list as well? Then we are there, and may lack the right to write it. */
static bool has_line(const char *list, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = list; (p = strstr(p, line)); p += n) {
		if ((p == list || p[-1] == '\n') && (!p[n] || p[n] == '\n'))
			return true;
	}
	return false;
}

/* The folder in version 2, unless we are in it. */
static int open_unified(pid_t pid)
{
	cleanup_free char *theirs = NULL, *own = NULL;
	cleanup_close int dir = -1;
	struct error ignored;
	char who[16], path[PATH_MAX], *line;

	snprintf(who, sizeof(who), "%d", pid);
	if (read_cgroups(who, &theirs, &ignored) || read_cgroups("self", &own, &ignored))
		return -1;
	line = !strncmp(theirs, "0::/", 4) ? theirs : strstr(theirs, "\n0::/");
	if (!line)
		return -1;
	line += *line == '\n';
	line[strcspn(line, "\n")] = '\0';
	if (has_line(own, line))
		return -1;
	dir = open_folder("");
	snprintf(path, sizeof(path), "./%s", line + 3);
	return dir < 0 ? -1 : openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

pid_t exec_fork(pid_t pid)
{
	cleanup_close int cgroup = open_unified(pid);
	pid_t child = cgroup < 0 ? -1 : launch_clone(0, cgroup);

	return child < 0 ? fork() : child;
}

int exec_join_cgroups(pid_t pid, struct error *err)
{
	cleanup_free char *theirs = NULL, *own = NULL;
	char who[16], *save = NULL;
	int ret;

	snprintf(who, sizeof(who), "%d", pid);
	ret = read_cgroups(who, &theirs, err);
	if (!ret)
		ret = read_cgroups("self", &own, err);
	for (char *line = ret ? NULL : strtok_r(theirs, "\n", &save); line && !ret; line = strtok_r(NULL, "\n", &save)) {
		if (!has_line(own, line))
			ret = join(line, err);
	}
	return ret;
}
