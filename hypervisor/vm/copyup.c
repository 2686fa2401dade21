// SPDX-License-Identifier: Apache-2.0
#include "vm/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define DEPTH_MAX 128

static int copy_tree(int from, int to, int depth);

/* An owner without an id in our user namespace can't be given: the copy is the container's root's then. */
static int copy_attrs(int fd, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) && errno != EINVAL)
		return -errno;
	if (!S_ISLNK(st->st_mode) && fchmodat(fd, name, st->st_mode & 07777, 0))
		return -errno;
	return utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int copy_data(int in, int out)
{
	ssize_t n;

	do
		n = sendfile(out, in, NULL, 1 << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name)
{
	cleanup_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_close int out = -1;
	struct stat st;

	if (in < 0 || fstat(in, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) /* exchanged meanwhile */
		return 0;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return out < 0 ? -errno : copy_data(in, out);
}

static int copy_link(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to, name) ? -errno : 0;
}

static int copy_folder(int from, int to, const char *name, int depth)
{
	cleanup_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int out = -1;

	if (in < 0 || mkdirat(to, name, 0700))
		return -errno;
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return out < 0 ? -errno : copy_tree(in, out, depth + 1);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int ret;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		ret = copy_file(from, to, name);
	else if (S_ISLNK(st.st_mode))
		ret = copy_link(from, to, name);
	else if (S_ISDIR(st.st_mode))
		ret = copy_folder(from, to, name, depth);
	else
		return 0;
	return ret ? ret : copy_attrs(to, name, &st);
}

static int copy_tree(int from, int to, int depth)
{
	cleanup_dir DIR *dir = NULL;
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int ret = 0;

	if (fd < 0 || depth > DEPTH_MAX)
		return fd < 0 ? -errno : -ELOOP;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!ret && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] != '.' || (name[1] && (name[1] != '.' || name[2])))
			ret = copy_entry(from, to, name, depth);
	}
	return ret;
}

int copyup_dir(int from, int to)
{
	return copy_tree(from, to, 0);
}
