/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a path walk enters a directory on which the guest has mounted a file system of its own. The
 * host has an empty, read-only tmpfs there, the marker. So a walk either ends on the marker, which
 * its device number shows, or leaves it again by "..", which is the same in the guest, or fails:
 * with ENOENT for any name in it, with EROFS for making or removing one. Only in these cases is the
 * walk repeated here, component by component, to find the path at which the guest must go on.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "call/path.h"
#include "call/server_impl.h"

#define MAX_LINKS 40

struct walk {
	struct call *c;
	enum last last;
	int fd; /* O_PATH: where the walk is; -1: at the root */
	int links; /* symbolic links followed */
	const struct pv_marker *in; /* fd is the root directory of this marker */
	char *rest; /* components to go, in text */
	char text[2 * PV_PATH_MAX + 2];
};

const struct pv_marker *marker_of(struct call *c, dev_t dev)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	for (unsigned int i = 0; i < cfg->nmarkers; i++) {
		if (cfg->markers[i].dev == dev)
			return &cfg->markers[i];
	}
	return NULL;
}

static int cross_to(struct call *c, int which, const char *target, const char *rest)
{
	char path[PV_PATH_MAX + 1];
	int len = snprintf(path, sizeof(path), "%s%s%s", target, *rest ? "/" : "", rest);

	if (len > (int)PV_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(c->buf, path, len);
	c->rsp.val = len;
	c->rsp.flags = which ? PV_CROSSED_PATH2 : 0;
	return PV_CROSS;
}

int cross_at(struct call *c, const struct pv_marker *m)
{
	return cross_to(c, 0, m->target, "");
}

static const struct pv_marker *marker_of_fd(struct call *c, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? marker_of(c, st.st_dev) : NULL;
}

int cross_fd(struct call *c, int fd)
{
	const struct pv_marker *m = c->srv->cfg.nmarkers ? marker_of_fd(c, fd) : NULL;

	return m ? cross_at(c, m) : 0;
}

static int walk_root(struct walk *w)
{
	return openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void walk_to(struct walk *w, int fd)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->in = fd >= 0 ? marker_of_fd(w->c, fd) : NULL;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* ".." ends at the root, which for a chrooted guest process is the thread's own. */
static int step_up(struct walk *w)
{
	int root = walk_root(w), fd;
	bool stay = root >= 0 && same_file(root, w->fd);

	if (root >= 0)
		close(root);
	if (stay)
		return 0;
	fd = openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	walk_to(w, fd);
	return 0;
}

/* Puts the target of the symbolic link `fd` before the rest of the path. */
static int push_link(struct walk *w, int fd)
{
	char text[2 * PV_PATH_MAX + 2];
	ssize_t len = readlinkat(fd, "", text, PV_PATH_MAX);
	int root;

	if (len < 0)
		return -errno;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	text[len] = '\0';
	if (len + strlen(w->rest) >= sizeof(text))
		return -ENAMETOOLONG;
	strcpy(text + len, w->rest); /* empty, or begins with a slash */
	strcpy(w->text, text);
	w->rest = w->text;
	if (w->text[0] != '/')
		return 0;
	root = walk_root(w);
	if (root < 0)
		return -errno;
	walk_to(w, root);
	return 0;
}

static int step_into(struct walk *w, const char *name, bool is_last)
{
	int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool slash = is_last && *w->rest == '/';
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISLNK(st.st_mode) ||
	    (is_last && !slash && w->last == LAST_NOFOLLOW)) {
		walk_to(w, fd);
		return 0;
	}
	ret = push_link(w, fd);
	close(fd);
	return ret;
}

/* Cuts the next component off the rest; its length. */
static size_t next_name(struct walk *w, char *name)
{
	size_t len;

	w->rest += strspn(w->rest, "/");
	len = strcspn(w->rest, "/");
	if (len > NAME_MAX)
		return len;
	memcpy(name, w->rest, len);
	name[len] = '\0';
	w->rest += len;
	return len;
}

/* What follows names something in the guest's mount: neither "." nor the way out of it. */
static bool stays_inside(struct walk *w)
{
	const char *p = w->rest + strspn(w->rest, "/");

	while (p[0] == '.' && (p[1] == '/' || !p[1]))
		p += 1 + strspn(p + 1, "/");
	return !(p[0] == '.' && p[1] == '.' && (p[2] == '/' || !p[2]));
}

/*
 * 1: the walk has entered a marker and stays there. 0: it ends elsewhere. -errno: it fails on the
 * host.
 */
static int walk_path(struct walk *w)
{
	char name[NAME_MAX + 1];
	int ret = 0;

	while (ret == 0) {
		size_t len;
		bool is_last;

		if (w->in && stays_inside(w))
			return 1;
		len = next_name(w, name);
		if (len == 0)
			return 0;
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		is_last = w->rest[strspn(w->rest, "/")] == '\0';
		if (is_last && w->last == LAST_PARENT)
			return 0;
		if (!strcmp(name, "."))
			continue;
		ret = strcmp(name, "..") ? step_into(w, name, is_last) : step_up(w);
	}
	return ret;
}

static int walk_begin(struct walk *w, int which)
{
	const char *path = w->c->path[which];

	strcpy(w->text, path);
	w->rest = w->text;
	w->fd = -1;
	walk_to(w, *path == '/' ? walk_root(w) : dup(w->c->dirfd[which]));
	return w->fd >= 0 ? 0 : -errno;
}

static int slow_walk(struct call *c, int which, enum last last, int ret)
{
	struct walk w = { .c = c, .last = last };
	int found = walk_begin(&w, which);

	if (found == 0)
		found = walk_path(&w);
	if (found == 1 && w.in)
		ret = cross_to(c, which, w.in->target, w.rest + strspn(w.rest, "/"));
	walk_to(&w, -1);
	return ret;
}

bool absent_in_mount(int dirfd, const char *path, bool nofollow)
{
	int fd = open_in(dirfd, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0, RESOLVE_NO_XDEV);

	if (fd >= 0)
		close(fd);
	return fd == -ENOENT;
}

int path_absent_names(struct call *c)
{
	bool nofollow = c->req.u.path.flags & PV_AT_NOFOLLOW;
	char *name = c->path[0];
	int mask = 0;

	for (int i = 0; i < PV_ABSENT_NAMES_MAX && name; i++) {
		char *end = strchr(name, '\n');

		if (end)
			*end = '\0';
		if (absent_in_mount(c->dirfd[0], name, nofollow))
			mask |= 1 << i;
		name = end ? end + 1 : NULL;
	}
	return mask;
}

/*
 * The common failure is a name that is just not there. If its parent can be opened, is no marker,
 * and has no such name (not even a dangling link), the walk did not end in the guest.
 */
static bool plainly_absent(struct call *c, int which, enum last last)
{
	const char *name;
	bool absent;
	int parent;

	if (absent_in_mount(c->dirfd[which], c->path[which], last != LAST_FOLLOW)) {
		c->rsp.flags |= PV_ABSENT;
		return true;
	}
	parent = parent_open(c, which, &name);
	if (parent < 0)
		return false;
	absent = !marker_of_fd(c, parent);
	if (absent && last != LAST_PARENT)
		absent = !strchr(name, '/') && readlinkat(parent, name, (char[1]){ 0 }, 1) < 0 &&
			 errno == ENOENT;
	if (parent != c->dirfd[which])
		close(parent);
	return absent;
}

int cross_failed(struct call *c, int which, enum last last, int ret)
{
	if (c->srv->cfg.nmarkers == 0 || (ret != -ENOENT && ret != -EROFS) || !c->path[which][0])
		return ret;
	if (c->req.u.path.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return ret;
	if (ret == -ENOENT && plainly_absent(c, which, last))
		return ret;
	return slow_walk(c, which, last, ret);
}
