// SPDX-License-Identifier: Apache-2.0
#include "engines/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

/* The old file itself, under another name: mode, owner and attributes are those it had. */
static int keep_old(const char *path, char *backup, struct error *err)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	for (int i = 0; i < 100; i++) {
		const char *fmt = i ? "%s.callgate-%s.%d" : "%s.callgate-%s";

		if (snprintf(backup, PATH_MAX, fmt, path, when, i) >= PATH_MAX)
			return error_errno(err, ENAMETOOLONG, "%s", path);
		if (!link(path, backup))
			return 0;
		if (errno != EEXIST)
			break;
	}
	return error_errno(err, errno, "backup %s", backup);
}

static int fill(int fd, const char *path, const char *text, struct error *err)
{
	struct stat st;
	int ret;

	if (!stat(path, &st)) {
		/* the owner first: chown clears mode bits */
		if (fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777))
			return error_errno(err, errno, "%s: mode and owner", path);
	}
	ret = fs_write_all(fd, text, strlen(text));
	if (!ret && fsync(fd))
		ret = -errno;
	return ret ? error_errno(err, -ret, "%s", path) : 0;
}

static int make_folder(const char *path, struct error *err)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return fs_make_dirs(folder, 0755, err);
}

/* From here on the temporary file exists. */
static int put_in_place(int fd, const char *tmp, const char *path, const char *text, char *backup,
			int (*verify)(const char *path, struct error *err), struct error *err)
{
	int ret = fill(fd, path, text, err);

	if (!ret && verify)
		ret = verify(tmp, err);
	if (!ret && backup)
		ret = keep_old(path, backup, err);
	if (ret)
		return ret;
	return rename(tmp, path) ? error_errno(err, errno, "%s", path) : 0;
}

int replace_file(const char *path, const char *text, char *backup,
		 int (*verify)(const char *path, struct error *err), struct error *err)
{
	cleanup_free char *target = realpath(path, NULL);
	cleanup_close int fd = -1;
	char tmp[PATH_MAX];
	int ret;

	if (target)
		path = target;
	if (!text)
		return unlink(path) ? error_errno(err, errno, "%s", path) : 0;
	ret = make_folder(path, err);
	if (ret)
		return ret;
	/* no .conf or .toml at the end: a daemon that reads the folder now must not see it */
	if (snprintf(tmp, sizeof(tmp), "%s.callgate-new.%d", path, getpid()) >= (int)sizeof(tmp))
		return error_errno(err, ENAMETOOLONG, "%s", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_errno(err, errno, "%s", tmp);
	ret = put_in_place(fd, tmp, path, text, backup, verify, err);
	if (ret)
		unlink(tmp);
	return ret;
}
