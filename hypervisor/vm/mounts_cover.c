// SPDX-License-Identifier: Apache-2.0
/*
 * A recursive bind of "/" or the like brings the host's /proc along, and with it the
 * hypervisor's own memory, /proc/self/mem. Only mountinfo tells where it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "vm/mounts.h"
#include "vm/place.h"

/* The kernel writes blanks and backslashes in a path as \\ooo. */
static void unescape(char *path)
{
	char *out = path;

	for (const char *p = path; *p;) {
		if (p[0] == '\\' && p[1] && p[2] && p[3]) {
			*out++ = (char)((unsigned int)(p[1] - '0') << 6 | (unsigned int)(p[2] - '0') << 3 | (unsigned int)(p[3] - '0'));
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /from /mount/point options - type source ..." */
static bool find_proc(const char *line, char *path)
{
	const char *type = strstr(line, " - ");

	if (!type || strncmp(type, " - proc ", 8))
		return false;
	if (sscanf(line, "%*s %*s %*s %*s %4095s", path) != 1)
		return false;
	unescape(path);
	return true;
}

/* What is on top at that path may be something else, such as a guest-side mount's marker. */
static int cover(struct container *c, const char *path, struct error *err)
{
	const struct place_root root = { c->rootfd, c->procfd, NULL, NULL };
	cleanup_close int fd = -1;
	struct statfs fs;
	struct place place;
	int ret = place_find(&root, path, PLACE_EXISTING, &place, err);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	cleanup_close int place_fd = place.fd;

	if (fstatfs(place_fd, &fs))
		return error_errno(err, errno, "%s", path);
	if (fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	fd = mounts_new_fs("tmpfs", "covered", "mode=0555,size=4k", MOUNT_ATTR_RDONLY, err);
	if (fd < 0)
		return fd;
	if (move_mount(fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return error_errno(err, errno, "%s", path);
	return 0;
}

int mounts_cover_proc(struct container *c, struct error *err)
{
	cleanup_close int fd = openat(c->procfd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	cleanup_file FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	cleanup_free char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int ret = 0;

	if (!f)
		return error_errno(err, errno, "mountinfo");
	(void)steal_fd(&fd);
	while (!ret && getline(&line, &size, f) > 0) {
		if (find_proc(line, path))
			ret = cover(c, path, err);
	}
	return ret;
}
