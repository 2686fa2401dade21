/* SPDX-License-Identifier: Apache-2.0 */
/* path.h: what the path calls share. Names are resolved by the host's own walk (see server.h). */
#ifndef CALLGATE_CALL_PATH_H
#define CALLGATE_CALL_PATH_H

#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/types.h>

#include "call/call.h"

/* /proc/self/fd/N, seen from a serving thread's working directory. */
#define FD_NAME_MAX 24
struct fd_name {
	char name[FD_NAME_MAX];
};
struct fd_name fd_name(int fd);

/*
 * The object of a call, in a form that the *at calls take: (fd, path, at), where at holds
 * AT_SYMLINK_NOFOLLOW or AT_EMPTY_PATH. `fd` is ours to close if opened.
 */
struct object {
	int fd;
	const char *path;
	int at;
	bool opened;
};

/* Without a host call where that is safe. */
int object_get(struct call *c, struct object *o);
/* As a descriptor (O_PATH, unless the call names an open handle): path is "". */
int object_open(struct call *c, struct object *o);
void object_put(struct object *o);

/*
 * The parent directory and last component of name `which` (0 or 1), for calls that create or
 * remove names. Without a host call where that is safe.
 */
int parent_get(struct call *c, int which, struct object *o);
/*
 * The parent directory of a name (O_PATH; the call's own dirfd if the name has no slash), and the
 * last component.
 */
int parent_open(struct call *c, int which, const char **name);

/* The mount id of the container's root, which does not change while it runs; 0: not known. */
u64 path_root_mount(struct pv_server *srv);

/* A native open in the container that follows no magic link. */
int open_in(int dirfd, const char *path, u64 flags, u64 mode, u64 resolve);

/* ---- cross.c: walks that enter a guest-side mount ---- */

/* Is there no such name, and does its walk enter no other mount than that of the directory? */
bool absent_in_mount(int dirfd, const char *path, bool nofollow);

/* What a call's last component means to the walk. */
enum last {
	LAST_FOLLOW, /* the object, behind a symbolic link */
	LAST_NOFOLLOW,
	LAST_PARENT, /* only the parent matters: the name is made or removed */
};

const struct pv_marker *marker_of(struct call *c, dev_t dev);
/* The object found is a marker itself: answer with its target. */
int cross_at(struct call *c, const struct pv_marker *m);
/* If fd's object is a marker: PV_CROSS, else 0. */
int cross_fd(struct call *c, int fd);
/*
 * The native call for name `which` failed with ret: PV_CROSS if that is because the walk entered a
 * marker, else ret.
 */
int cross_failed(struct call *c, int which, enum last last, int ret);

/* The usual end of a call on one object that returned ret (>= 0, or -1 and errno). */
int object_result(struct call *c, long ret);
/* ... of a call that makes or removes the first name. */
int parent_result(struct call *c, long ret);

static inline enum last object_last(const struct call *c)
{
	return c->req.u.path.flags & PV_AT_NOFOLLOW ? LAST_NOFOLLOW : LAST_FOLLOW;
}

/*
 * The absolute path, in the container, of what fd refers to. Length or -errno. `to` holds
 * PV_PATH_MAX.
 */
int path_of_fd(struct call *c, int fd, char *to);

/* Of `resolve`: what PV_OPEN is to answer with. */
#define PV_WANT (PV_WANT_PATH | PV_WANT_DATA | PV_WILL_READ)

/* Decoders. */
int decode_path(struct call *c); /* one name */
int decode_two_paths(struct call *c);
/* Commands that live in files of their own. */
int path_open_decode(struct call *c);
int path_open(struct call *c);
int path_getxattr(struct call *c);
int path_setxattr_decode(struct call *c);
int path_setxattr(struct call *c);
int path_listxattr(struct call *c);
int path_removexattr(struct call *c);
int path_unix_decode(struct call *c);
int path_unix_connect(struct call *c);
int path_unix_bind(struct call *c);
int path_dirstat(struct call *c);
int path_namestat_decode(struct call *c);
int path_namestat(struct call *c);
int path_absent_names(struct call *c);

#endif
