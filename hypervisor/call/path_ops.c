/* SPDX-License-Identifier: Apache-2.0 */
/* The path calls but PV_OPEN and extended attributes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "call/path.h"
#include "call/server_impl.h"

static int path_stat(struct call *c)
{
	struct object o;
	struct statx st;
	const struct pv_marker *m;
	int ret = object_get(c, &o);
	long err;

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	err = statx(o.fd, o.path,
		    o.at | AT_NO_AUTOMOUNT | (c->req.u.path.flags & AT_STATX_SYNC_TYPE),
		    STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &st);
	ret = object_result(c, err);
	object_put(&o);
	if (ret < 0 || ret == PV_CROSS)
		return ret;
	m = marker_of(c, makedev(st.stx_dev_major, st.stx_dev_minor));
	if (m)
		return cross_at(c, m);
	memcpy(c->buf, &st, sizeof(st));
	return 0;
}

static int path_readlink(struct call *c)
{
	struct object o;
	UNINITIALIZED char text[PV_PATH_MAX];
	int ret;

	c->req.u.path.flags |= PV_AT_NOFOLLOW;
	ret = object_get(c, &o);
	if (ret < 0)
		return cross_failed(c, 0, LAST_NOFOLLOW, ret);
	ret = (int)readlinkat(o.fd, o.path, text, sizeof(text));
	if (ret < 0 && errno == ENOENT && o.opened) /* what an empty name gets; it had one, and is no link */
		errno = EINVAL;
	ret = object_result(c, ret);
	object_put(&o);
	if (ret > 0 && ret != PV_CROSS)
		memcpy(c->buf, text, ret);
	return ret;
}

static int path_mkdir(struct call *c)
{
	struct object o;
	int ret = parent_get(c, 0, &o);

	if (ret < 0)
		return cross_failed(c, 0, LAST_PARENT, ret);
	ret = parent_result(c, mkdirat(o.fd, o.path, c->req.u.path.mode & 07777));
	object_put(&o);
	return ret;
}

static int path_mknod_decode(struct call *c)
{
	u32 type = c->req.u.path.mode & S_IFMT;
	int ret = decode_path(c);

	if (ret == 0 && (type == S_IFCHR || type == S_IFBLK))
		ret = -EPERM;
	else if (ret == 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != 0)
		ret = -EINVAL;
	return ret;
}

static int path_mknod(struct call *c)
{
	struct object o;
	int ret = parent_get(c, 0, &o);

	if (ret < 0)
		return cross_failed(c, 0, LAST_PARENT, ret);
	ret = parent_result(c, mknodat(o.fd, o.path, c->req.u.path.mode & (S_IFMT | 07777), 0));
	object_put(&o);
	return ret;
}

static int path_unlink(struct call *c)
{
	struct object o;
	int ret = parent_get(c, 0, &o);

	if (ret < 0)
		return cross_failed(c, 0, LAST_PARENT, ret);
	ret = parent_result(c, unlinkat(o.fd, o.path, c->req.u.path.flags & AT_REMOVEDIR));
	object_put(&o);
	return ret;
}

static int path_rename_decode(struct call *c)
{
	const u32 known = RENAME_NOREPLACE | RENAME_EXCHANGE;
	int ret = decode_two_paths(c);

	/* Not RENAME_WHITEOUT: that makes a device. */
	if (ret == 0 && (c->req.u.path.flags & ~known))
		ret = -EINVAL;
	return ret;
}

/* Either name may be the one that leads into the guest. */
static int two_paths_failed(struct call *c, enum last first, int err)
{
	int ret = cross_failed(c, 0, first, err);

	return ret == PV_CROSS ? ret : cross_failed(c, 1, LAST_PARENT, err);
}

static int path_rename(struct call *c)
{
	struct object from, to = { .opened = false };
	int ret = parent_get(c, 0, &from);

	if (ret == 0)
		ret = parent_get(c, 1, &to);
	if (ret == 0 &&
	    syscall(SYS_renameat2, from.fd, from.path, to.fd, to.path, c->req.u.path.flags) < 0)
		ret = -errno;
	object_put(&from);
	object_put(&to);
	return ret < 0 ? two_paths_failed(c, LAST_PARENT, ret) : ret;
}

/*
 * A handle without a name (O_TMPFILE) is linked by its /proc name, which needs no capability. So is
 * a link's target; the name itself is linked natively.
 */
static int link_from(struct call *c, const struct object *to)
{
	struct object o;
	int ret, flags = 0;

	if (!(c->req.u.path.flags & PV_AT_FOLLOW))
		c->req.u.path.flags |= PV_AT_NOFOLLOW;
	else
		flags = AT_SYMLINK_FOLLOW;
	ret = object_get(c, &o);
	if (ret < 0)
		return ret;
	if (o.at & AT_EMPTY_PATH)
		ret = linkat(AT_FDCWD, fd_name(o.fd).name, to->fd, to->path, AT_SYMLINK_FOLLOW);
	else
		ret = linkat(o.fd, o.path, to->fd, to->path, flags);
	ret = ret < 0 ? -errno : 0;
	object_put(&o);
	return ret;
}

static int path_link(struct call *c)
{
	struct object to;
	int ret = parent_get(c, 1, &to);

	if (ret == 0)
		ret = link_from(c, &to);
	object_put(&to);
	return ret < 0 ? two_paths_failed(c, object_last(c), ret) : ret;
}

static int path_symlink(struct call *c)
{
	struct object o;
	int ret = parent_get(c, 0, &o);

	if (ret < 0)
		return cross_failed(c, 0, LAST_PARENT, ret);
	ret = parent_result(c, symlinkat(c->path[1], o.fd, o.path));
	object_put(&o);
	return ret;
}

/* An open file's own descriptor serves; O_PATH and names without following need the /proc name. */
static int path_chmod(struct call *c)
{
	mode_t mode = c->req.u.path.mode & 07777;
	struct object o;
	int ret;

	ret = object_last(c) == LAST_NOFOLLOW ? object_open(c, &o) : object_get(c, &o);
	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	if (o.at & AT_EMPTY_PATH)
		ret = object_result(c, fchmodat(AT_FDCWD, fd_name(o.fd).name, mode, 0));
	else
		ret = object_result(c, fchmodat(o.fd, o.path, mode, 0));
	object_put(&o);
	return ret;
}

static int path_chown(struct call *c)
{
	uid_t uid = (u32)c->req.u.path.arg;
	gid_t gid = c->req.u.path.arg >> 32;
	struct object o;
	int ret = object_get(c, &o);

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	ret = object_result(c, fchownat(o.fd, o.path, uid, gid, o.at));
	object_put(&o);
	return ret;
}

static int path_utimes(struct call *c)
{
	struct timespec ts[2];
	struct object o;
	s64 words[4];
	int ret = object_get(c, &o);

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	/* Any value is the host kernel's to judge; the path's length was checked. */
	fetch(words, c->buf + c->req.u.path.path_len, sizeof(words));
	for (int i = 0; i < 2; i++)
		ts[i] = (struct timespec){ words[2 * i], words[2 * i + 1] };
	ret = object_result(c, syscall(SYS_utimensat, o.fd, o.path, ts, o.at));
	object_put(&o);
	return ret;
}

static bool is_open(const struct call *c)
{
	return (c->req.u.path.flags & PV_AT_EMPTY) && !c->path[0][0] && !(c->dir[0] && c->dir[0]->kind == HANDLE_PATH);
}

/* By a name, the host waits for whoever holds a lease on the file, as long as 45 s. */
static int path_truncate_decode(struct call *c)
{
	int ret = decode_path(c);

	c->blocks = ret == 0 && !is_open(c);
	return ret;
}

static int path_truncate(struct call *c)
{
	s64 len = c->req.u.path.arg;
	struct object o;
	int ret;

	if (is_open(c))
		return ftruncate(c->dirfd[0], len) < 0 ? -errno : 0;
	/* Not open and ftruncate: those who watch the file would see it closed. */
	ret = object_open(c, &o);
	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	ret = cross_fd(c, o.fd);
	if (ret == 0)
		ret = truncate(fd_name(o.fd).name, len) < 0 ? -errno : 0;
	object_put(&o);
	return ret;
}

/* Access to a marker must be asked in the guest: a second call finds out. */
static int on_marker(struct call *c, const struct object *o)
{
	const struct pv_marker *m;
	struct statx st;

	if (!c->srv->cfg.nmarkers || statx(o->fd, o->path, o->at, STATX_TYPE, &st) < 0)
		return 0;
	m = marker_of(c, makedev(st.stx_dev_major, st.stx_dev_minor));
	return m ? cross_at(c, m) : 0;
}

static int path_access(struct call *c)
{
	int mode = c->req.u.path.mode & (R_OK | W_OK | X_OK);
	struct object o;
	int ret = object_get(c, &o);

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	/* AT_EACCESS: the file system ids that this thread has taken on, not its real ids. */
	ret = object_result(c, syscall(SYS_faccessat2, o.fd, o.path, mode, o.at | AT_EACCESS));
	if (ret == 0)
		ret = on_marker(c, &o);
	object_put(&o);
	return ret;
}

static int path_statfs(struct call *c)
{
	struct statfs fs;
	struct object o;
	int ret = object_open(c, &o);

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	ret = cross_fd(c, o.fd);
	if (ret == 0) {
		ret = fstatfs(o.fd, &fs) < 0 ? -errno : 0;
		if (ret == 0)
			memcpy(c->buf, &fs, sizeof(fs));
	}
	object_put(&o);
	return ret;
}

static int answer_path(struct call *c, int fd)
{
	UNINITIALIZED char path[PV_PATH_MAX];
	int len = path_of_fd(c, fd, path);

	if (len > 0)
		memcpy(c->buf, path, len);
	return len;
}

static int path_pathof(struct call *c)
{
	return answer_path(c, c->dirfd[0]);
}

static int path_paths_of_decode(struct call *c)
{
	const struct pv_req_xen_release *r = &c->req.u.release;
	int ret = r->count > PV_RELEASE_MORE ? violation(c, "count", "too many handles at once") : 0;

	if (ret == 0)
		ret = decode_handle(c, "id", r->id, KINDS_ANY, &c->h);
	for (u32 i = 0; ret == 0 && i < r->count; i++)
		ret = decode_handle(c, "more", r->more[i], KINDS_ANY, &c->more[i]);
	return ret;
}

static int path_paths_of(struct call *c)
{
	UNINITIALIZED char path[PV_PATH_MAX + 1];
	int ret = 0;

	_Static_assert((1 + PV_RELEASE_MORE) * sizeof(path) <= RING_BUF_SIZE, "there is room for all");
	for (u32 i = 0; i <= c->req.u.release.count; i++) {
		int len = path_of_fd(c, i ? c->more[i - 1]->fd : c->h->fd, path);

		if (len < 0)
			len = 0;
		path[len++] = '\0';
		memcpy(c->buf + ret, path, (size_t)len);
		ret += len;
	}
	return ret;
}

static int path_resolve(struct call *c)
{
	u64 nofollow = object_last(c) == LAST_NOFOLLOW ? O_NOFOLLOW : 0;
	int ret, fd;

	if ((c->req.u.path.flags & PV_AT_EMPTY) && !c->path[0][0])
		return answer_path(c, c->dirfd[0]);
	fd = open_in(c->dirfd[0], c->path[0], O_PATH | nofollow, 0,
		     c->req.u.path.resolve & ~PV_WANT);
	if (fd < 0)
		return cross_failed(c, 0, object_last(c), fd);
	ret = cross_fd(c, fd);
	if (ret == 0)
		ret = answer_path(c, fd);
	close(fd);
	return ret;
}

static int path_inotify_decode(struct call *c)
{
	int ret = decode_path(c);

	if (ret == 0)
		ret = decode_handle(c, "arg", c->req.u.path.arg, KIND(INOTIFY), &c->h);
	return ret;
}

static int path_inotify_add(struct call *c)
{
	u32 mask = c->req.u.path.mode;
	struct object o;
	int ret;

	if (mask & IN_DONT_FOLLOW)
		c->req.u.path.flags |= PV_AT_NOFOLLOW;
	ret = object_open(c, &o);
	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	ret = cross_fd(c, o.fd);
	if (ret == 0) {
		ret = inotify_add_watch(c->h->fd, fd_name(o.fd).name, mask & ~(u32)IN_DONT_FOLLOW);
		ret = ret < 0 ? -errno : ret;
	}
	object_put(&o);
	return ret;
}

#define P(cmd) [PV_##cmd - PV_OPEN]
const struct pv_command path_commands[] = {
	P(OPEN) = { "open", path_open_decode, path_open, 0 },
	P(STAT) = { "stat", decode_path, path_stat, 0 },
	P(READLINK) = { "readlink", decode_path, path_readlink, 0 },
	P(MKDIR) = { "mkdir", decode_path, path_mkdir, 0 },
	P(MKNOD) = { "mknod", path_mknod_decode, path_mknod, 0 },
	P(UNLINK) = { "unlink", decode_path, path_unlink, 0 },
	P(RENAME) = { "rename", path_rename_decode, path_rename, 0 },
	P(LINK) = { "link", decode_two_paths, path_link, 0 },
	P(SYMLINK) = { "symlink", decode_two_paths, path_symlink, 0 },
	P(CHMOD) = { "chmod", decode_path, path_chmod, 0 },
	P(CHOWN) = { "chown", decode_path, path_chown, 0 },
	P(UTIMES) = { "utimes", decode_path, path_utimes, 0 },
	P(TRUNCATE) = { "truncate", path_truncate_decode, path_truncate, 0 },
	P(ACCESS) = { "access", decode_path, path_access, 0 },
	P(STATFS) = { "statfs", decode_path, path_statfs, 0 },
	P(GETXATTR) = { "getxattr", decode_two_paths, path_getxattr, 0 },
	P(SETXATTR) = { "setxattr", path_setxattr_decode, path_setxattr, 0 },
	P(LISTXATTR) = { "listxattr", decode_path, path_listxattr, 0 },
	P(REMOVEXATTR) = { "removexattr", decode_two_paths, path_removexattr, 0 },
	P(PATHOF) = { "pathof", decode_path, path_pathof, 0 },
	P(INOTIFY_ADD) = { "inotify_add", path_inotify_decode, path_inotify_add, 0 },
	P(RESOLVE) = { "resolve", decode_path, path_resolve, 0 },
	P(UNIX_CONNECT) = { "unix_connect", path_unix_decode, path_unix_connect, 0 },
	P(UNIX_BIND) = { "unix_bind", path_unix_decode, path_unix_bind, 0 },
	P(DIRSTAT) = { "dirstat", decode_path, path_dirstat, 0 },
	P(ABSENT_NAMES) = { "absent_names", decode_path, path_absent_names, 0 },
	P(NAMESTAT) = { "namestat", path_namestat_decode, path_namestat, 0 },
	P(PATHS_OF) = { "paths_of", path_paths_of_decode, path_paths_of, 0 },
};
