/* SPDX-License-Identifier: Apache-2.0 */
/* Path calls: decoding, and the ways to name an object. */
#include "call/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/server_impl.h"

struct fd_name fd_name(int fd)
{
	struct fd_name n;

	snprintf(n.name, sizeof(n.name), "self/fd/%d", fd);
	return n;
}

int open_in(int dirfd, const char *path, u64 flags, u64 mode, u64 resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC | O_NOCTTY,
				.mode = mode,
				.resolve = resolve | RESOLVE_NO_MAGICLINKS };
	long fd;

	if (flags & O_PATH)
		how.flags &= ~(u64)O_NOCTTY;
	fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

u64 path_root_mount(struct pv_server *srv)
{
	struct statx st;
	u64 id = __atomic_load_n(&srv->root_mnt_id, __ATOMIC_RELAXED);

	if (id)
		return id;
	if (statx(srv->cfg.rootfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return 0;
	__atomic_store_n(&srv->root_mnt_id, st.stx_mnt_id, __ATOMIC_RELAXED);
	return st.stx_mnt_id;
}


static int decode_dir(struct call *c, int which, u32 id)
{
	c->dirfd[which] = c->srv->cfg.rootfd;
	if (id == 0)
		return 0;
	/* Any kind: the host itself says ENOTDIR. */
	if (decode_handle(c, which ? "dir2" : "dir", id, KINDS_ANY, &c->dir[which]) < 0)
		return -EPROTO;
	c->dirfd[which] = c->dir[which]->fd;
	return 0;
}

static int decode_common(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;

	if (r->path_len > PV_PATH_MAX || r->path2_len > PV_PATH_MAX)
		return violation(c, r->path_len > PV_PATH_MAX ? "path_len" : "path2_len", "path longer than PV_PATH_MAX");
	if (r->resolve & ~(PV_WANT | 0x3fu))
		return violation(c, "resolve", "unknown resolve flags");
	if (decode_dir(c, 0, r->dir) < 0 || decode_cred(c, r->cred) < 0)
		return -EPROTO;
	if (r->root && decode_handle(c, "root", r->root, KIND(PATH) | KIND(DIR), &c->root) < 0)
		return -EPROTO;
	return fetch_string(c, "path", 0, r->path_len, c->path[0]);
}

int decode_path(struct call *c)
{
	if (c->req.u.path.path2_len)
		return violation(c, "path2_len", "a second path where there is one only");
	return decode_common(c);
}

int decode_two_paths(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	int ret = decode_common(c);

	if (ret == 0)
		ret = decode_dir(c, 1, r->dir2);
	if (ret == 0)
		ret = fetch_string(c, "path2", r->path_len, r->path2_len, c->path[1]);
	return ret;
}

static bool is_handle_itself(const struct call *c)
{
	return (c->req.u.path.flags & PV_AT_EMPTY) && !c->path[0][0];
}

static bool is_host_inode(const struct pv_handle *h)
{
	struct stat st;

	/* that of epoll and inotify handles is one for the whole host */
	if (h->kind == HANDLE_WATCH || h->kind == HANDLE_INOTIFY)
		return true;
	/* nobody else can come by a pipe or a socket by its name: images give theirs to their user */
	return h->foreign && (fstat(h->fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)));
}

/* Attributes and names of what the host has lent are not the guest's to change; nor its length, by a name made of it. */
static bool changes_host_inode(const struct call *c)
{
	switch (c->req.cmd) {
	case PV_CHMOD:
	case PV_CHOWN:
	case PV_UTIMES:
	case PV_SETXATTR:
	case PV_REMOVEXATTR:
	case PV_LINK:
	case PV_TRUNCATE:
		return c->dir[0] && is_host_inode(c->dir[0]);
	default:
		return false;
	}
}

int object_open(struct call *c, struct object *o)
{
	u64 nofollow = object_last(c) == LAST_NOFOLLOW ? O_NOFOLLOW : 0;

	*o = (struct object){ .fd = c->dirfd[0], .path = "", .at = AT_EMPTY_PATH };
	if (is_handle_itself(c))
		return changes_host_inode(c) ? -EPERM : 0;
	o->fd = open_in(c->dirfd[0], c->path[0], O_PATH | nofollow, 0, c->req.u.path.resolve & RESOLVE_NO_SYMLINKS);
	if (o->fd < 0)
		return o->fd;
	o->opened = true;
	return 0;
}

int object_get(struct call *c, struct object *o)
{
	if (c->srv->magic || is_handle_itself(c) || (c->req.u.path.resolve & RESOLVE_NO_SYMLINKS))
		return object_open(c, o);
	*o = (struct object){ .fd = c->dirfd[0], .path = c->path[0] };
	if (object_last(c) == LAST_NOFOLLOW)
		o->at = AT_SYMLINK_NOFOLLOW;
	return 0;
}

void object_put(struct object *o)
{
	if (o->opened)
		close(o->fd);
}

/* The last component with its trailing slashes: "a//b/" -> "b/". */
static char *last_component(char *path)
{
	char *p = path + strlen(path);

	while (p > path && p[-1] == '/')
		p--;
	while (p > path && p[-1] != '/')
		p--;
	return p;
}

int parent_open(struct call *c, int which, const char **name)
{
	char *path = c->path[which];
	char *last = last_component(path);
	char save = *last;
	int fd;

	*name = last;
	if (last == path)
		return c->dirfd[which];
	*last = '\0';
	fd = open_in(c->dirfd[which], path, O_PATH | O_DIRECTORY, 0, 0);
	*last = save;
	return fd;
}

int parent_get(struct call *c, int which, struct object *o)
{
	*o = (struct object){ .fd = c->dirfd[which], .path = c->path[which] };
	if (!c->srv->magic)
		return 0;
	o->fd = parent_open(c, which, &o->path);
	o->opened = o->fd >= 0 && o->fd != c->dirfd[which];
	return o->fd < 0 ? o->fd : 0;
}

int path_of_fd(struct call *c, int fd, char *to)
{
	struct pv_handle *root = c->me->root;
	ssize_t len;

	/* The link's text is relative to the reader's root: it must be the container's. */
	if (root &&
	    (caller_become(c->me, c->srv->creds.creds[0]) < 0 || caller_chroot(c->me, NULL) < 0))
		return -EACCES;
	len = readlinkat(AT_FDCWD, fd_name(fd).name, to, PV_PATH_MAX);
	return len < 0 ? -errno : (int)len;
}

int object_result(struct call *c, long ret)
{
	int err = ret < 0 ? -errno : (int)ret;

	return err < 0 ? cross_failed(c, 0, object_last(c), err) : err;
}

int parent_result(struct call *c, long ret)
{
	int err = ret < 0 ? -errno : (int)ret;

	return err < 0 ? cross_failed(c, 0, LAST_PARENT, err) : err;
}
