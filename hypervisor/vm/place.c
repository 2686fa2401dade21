// SPDX-License-Identifier: Apache-2.0
#include "vm/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"

#define LINKS_MAX 40 /* as the kernel's own limit */
#define RACES_MAX 64

static int open_in_root(const struct place_root *root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	for (int tries = 0; tries < RACES_MAX; tries++) {
		long fd = syscall(SYS_openat2, root->rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN) /* a rename while ".." was being resolved */
			break;
	}
	return -errno;
}

/* Where a descriptor of something below the root is. */
static int place_name(const struct place_root *root, int fd, char *path)
{
	char self[64];
	ssize_t n;

	snprintf(self, sizeof(self), "self/fd/%d", fd);
	n = readlinkat(root->procfd, self, path, PATH_MAX);
	if (n < 0)
		return -errno;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

static int on_marker(const struct place_root *root, int fd)
{
	struct stat st;

	if (!root->is_marker)
		return 0;
	if (fstat(fd, &st))
		return -errno;
	return root->is_marker(root->arg, st.st_dev);
}

/* One search; path is rewritten when a dangling link has to be followed by hand. */
struct walk {
	const struct place_root *root;
	enum place_want want;
	int links;
	char path[PATH_MAX];
};

static int join(char *out, const char *a, const char *b, const char *c)
{
	char buf[3 * PATH_MAX];

	if (snprintf(buf, sizeof(buf), "%s/%s%s%s", a, b, *c ? "/" : "", c) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(out, buf);
	return 0;
}

/*
 * dir has no entry that leads anywhere, but it has this dangling link: the place is where
 * it points. Engines rely on that: /etc/resolv.conf often points into an empty /run.
 * name is where it is in w->path: what is before it leads to dir.
 */
static int follow(struct walk *w, int dir, const char *name, const char *rest)
{
	char target[PATH_MAX];
	char before[PATH_MAX] = "";
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	if (target[0] != '/')
		snprintf(before, sizeof(before), "%.*s", (int)(name - w->path), w->path);
	return join(w->path, before, target, rest);
}

static int create(const struct walk *w, int dir, const char *name, bool last)
{
	int fd;

	if (!last || w->want == PLACE_DIR)
		return mkdirat(dir, name, 0755) ? -errno : 0;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Appends what follows a marker, lexically: there are no links in what doesn't exist here. */
static int below_marker(const struct place_root *root, int dir, const char *name,
			const char *rest, struct place *out)
{
	char tail[PATH_MAX];
	char *save = NULL;
	int ret = place_name(root, dir, out->path);

	if (ret)
		return ret;
	ret = join(tail, "", name, rest);
	for (char *p = strtok_r(tail, "/", &save); !ret && p; p = strtok_r(NULL, "/", &save)) {
		if (!strcmp(p, "."))
			continue;
		ret = strcmp(p, "..") ? join(out->path, out->path, p, "") : -EINVAL;
	}
	out->fd = -1;
	out->under_guest = true;
	return ret;
}

/*
 * Deals with a name which is missing in dir. 1: w->path has changed, begin again;
 * 0: look again, or out is filled in if it lies below a marker.
 */
static int missing(struct walk *w, int dir, const char *name, const char *rest,
		   struct place *out)
{
	int ret = on_marker(w->root, dir);

	if (ret)
		return ret < 0 ? ret : below_marker(w->root, dir, name, rest, out);
	ret = follow(w, dir, name, rest);
	if (!ret)
		return 1;
	if (ret != -EINVAL && ret != -ENOENT)
		return ret;
	if (w->want == PLACE_EXISTING)
		return -ENOENT;
	ret = create(w, dir, name, !*rest);
	out->created = !ret && !*rest;
	return ret == -EEXIST ? 0 : ret;
}

/*
 * Walks w->path name by name until a missing one has been dealt with.
 * 0: all of it is there now, or out->under_guest; 1: begin again.
 */
static int walk_once(struct walk *w, struct place *out)
{
	cleanup_close int dir = open_in_root(w->root, "/");
	char *path = w->path;
	int races = 0;

	if (dir < 0)
		return dir;
	for (char *name = path + strspn(path, "/"); *name;) {
		char *end = name + strcspn(name, "/");
		char *rest = end + strspn(end, "/");
		char saved = *end;
		int fd;
		int ret;

		*end = '\0';
		fd = open_in_root(w->root, path);
		if (fd == -ENOENT) {
			ret = missing(w, dir, name, rest, out);
			if (ret || out->under_guest)
				return ret;
			if (++races > RACES_MAX)
				return -EAGAIN;
			*end = saved;
			continue;
		}
		*end = saved;
		if (fd < 0)
			return fd;
		close(dir);
		dir = fd;
		name = rest;
	}
	return 0;
}

static int found(struct walk *w, int fd, struct place *out)
{
	int ret = on_marker(w->root, fd);

	if (ret >= 0) {
		out->under_guest = ret;
		out->on_marker = ret;
		ret = place_name(w->root, fd, out->path);
	}
	if (ret)
		close(fd);
	else
		out->fd = fd;
	return ret;
}

static int find(struct walk *w, struct place *out)
{
	for (int tries = 0; tries < RACES_MAX; tries++) {
		int fd = open_in_root(w->root, w->path);
		int ret;

		if (fd >= 0)
			return found(w, fd, out);
		if (fd != -ENOENT)
			return fd;
		ret = walk_once(w, out);
		if (ret < 0 || out->under_guest)
			return ret;
	}
	return -EAGAIN;
}

int place_find(const struct place_root *root, const char *path, enum place_want want,
	       struct place *out, struct error *err)
{
	struct walk w = { .root = root, .want = want };
	int ret = -ENAMETOOLONG;

	out->fd = -1;
	out->under_guest = false;
	out->on_marker = false;
	out->created = false;
	out->path[0] = '\0';
	if (snprintf(w.path, sizeof(w.path), "/%s", path) < (int)sizeof(w.path))
		ret = find(&w, out);
	return ret ? error_errno(err, -ret, "%s in the root file system", path) : 0;
}
