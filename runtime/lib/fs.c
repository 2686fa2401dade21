// SPDX-License-Identifier: Apache-2.0
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

/* Files of procfs have no size: most are short. */
#define FIRST_ROOM 4096

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fs_read_file(const char *path, size_t max, char **out, size_t *size, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *buf = NULL;
	size_t room, done = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return error_errno(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return error_errno(err, EISDIR, "%s", path);
	room = st.st_size > 0 ? (size_t)st.st_size + 1 : FIRST_ROOM;
	for (;;) {
		char *more;
		ssize_t n;

		if (room > max)
			room = max + 1;
		more = realloc(buf, room + 1);
		if (!more)
			return error_errno(err, ENOMEM, "%s", path);
		buf = more;
		n = read_all(fd, buf + done, room - done);
		if (n < 0)
			return error_errno(err, (int)-n, "%s", path);
		done += (size_t)n;
		if (done > max)
			return error_errno(err, EFBIG, "%s", path);
		if (done < room)
			break;
		room *= 2;
	}
	buf[done] = '\0';
	*size = done;
	*out = steal_pointer(&buf);
	return 0;
}

int fs_write_all(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int fs_write_new(const char *path, const char *text, size_t size, mode_t mode, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int ret = fd < 0 ? -errno : fs_write_all(fd, text, size);

	return ret ? error_errno(err, -ret, "%s", path) : 0;
}

static int replace(const char *path, const char *text, size_t size, mode_t mode, unsigned int how, struct error *err)
{
	cleanup_close int fd = -1;
	char tmp[PATH_MAX];
	int ret;

	if (snprintf(tmp, sizeof(tmp), "%s.%d", path, getpid()) >= (int)sizeof(tmp))
		return error_errno(err, ENAMETOOLONG, "%s", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	ret = fs_write_all(fd, text, size);
	if (!ret && renameat2(AT_FDCWD, tmp, AT_FDCWD, path, how))
		ret = -errno;
	if (ret || how)
		unlink(tmp);
	return ret ? error_errno(err, -ret, "%s", path) : 0;
}

int fs_write_file(const char *path, const char *text, size_t size, mode_t mode, struct error *err)
{
	return replace(path, text, size, mode, 0, err);
}

int fs_rewrite_file(const char *path, const char *text, size_t size, mode_t mode, struct error *err)
{
	/* ext4 allocates blocks at once for what replaces a file, and has to discard them soon; not so here */
	int ret = replace(path, text, size, mode, RENAME_EXCHANGE, err);

	return ret == -EINVAL ? replace(path, text, size, mode, 0, err) : ret;
}

int fs_make_dirs(const char *path, mode_t mode, struct error *err)
{
	char buf[PATH_MAX];

	if (!mkdir(path, mode) || errno == EEXIST)
		return 0;
	if (errno != ENOENT || strlen(path) >= sizeof(buf))
		return error_errno(err, errno, "cannot create %s", path);
	strcpy(buf, path);
	for (char *p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, mode) && errno != EEXIST)
			return error_errno(err, errno, "cannot create %s", buf);
		*p = '/';
	}
	if (mkdir(path, mode) && errno != EEXIST)
		return error_errno(err, errno, "cannot create %s", path);
	return 0;
}
