/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes. An attribute can carry authority on the host (trusted.*, security.*), so
 * only known names pass. The *xattr calls know no directory descriptor: the object goes by its
 * /proc name.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "call/path.h"
#include "call/server_impl.h"
#include "lib/cleanup.h"

enum name_class { NAME_ALLOWED, NAME_PRIVILEGED, NAME_UNKNOWN };

static enum name_class classify(const char *name)
{
	static const char *const exact[] = { "security.capability", "system.posix_acl_access",
					     "system.posix_acl_default" };

	if (!strncmp(name, "user.", 5))
		return NAME_ALLOWED;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
		if (!strcmp(name, exact[i]))
			return NAME_ALLOWED;
	}
	if (!strncmp(name, "trusted.", 8) || !strncmp(name, "security.", 9))
		return NAME_PRIVILEGED;
	return NAME_UNKNOWN;
}

/* Opens the object for a call; 0, PV_CROSS or -errno (and then *name is not set). */
static int begin(struct call *c, struct object *o, struct fd_name *name)
{
	int ret = object_open(c, o);

	if (ret < 0)
		return cross_failed(c, 0, object_last(c), ret);
	*name = fd_name(o->fd);
	ret = cross_fd(c, o->fd);
	if (ret)
		object_put(o);
	return ret;
}

int path_getxattr(struct call *c)
{
	u64 room = c->req.u.path.arg;
	struct fd_name name;
	struct object o;
	int ret;

	if (classify(c->path[1]) != NAME_ALLOWED)
		return classify(c->path[1]) == NAME_PRIVILEGED ? -ENODATA : -EOPNOTSUPP;
	ret = begin(c, &o, &name);
	if (ret)
		return ret;
	if (room > XATTR_SIZE_MAX)
		room = XATTR_SIZE_MAX;
	ret = getxattr(name.name, c->path[1], room ? c->buf : NULL, room);
	ret = ret < 0 ? -errno : ret;
	object_put(&o);
	return ret;
}

int path_setxattr_decode(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	int ret = decode_two_paths(c);

	if (ret == 0 && r->arg > RING_BUF_SIZE - r->path_len - r->path2_len)
		ret = violation(c, "arg", "attribute value over the end of the buffer");
	if (ret == 0 && r->arg > XATTR_SIZE_MAX)
		ret = -E2BIG;
	return ret;
}

static int refused(const char *name)
{
	switch (classify(name)) {
	case NAME_ALLOWED:
		return 0;
	case NAME_PRIVILEGED:
		return -EPERM;
	default:
		return -EOPNOTSUPP;
	}
}

int path_setxattr(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	const u8 *value = c->buf + r->path_len + r->path2_len;
	struct fd_name name;
	struct object o;
	int ret = refused(c->path[1]);

	if (ret == 0)
		ret = begin(c, &o, &name);
	if (ret)
		return ret;
	ret = object_result(c, setxattr(name.name, c->path[1], value, r->arg, (int)r->mode));
	object_put(&o);
	return ret;
}

int path_removexattr(struct call *c)
{
	struct fd_name name;
	struct object o;
	int ret = refused(c->path[1]);

	if (ret == 0)
		ret = begin(c, &o, &name);
	if (ret)
		return ret;
	ret = object_result(c, removexattr(name.name, c->path[1]));
	object_put(&o);
	return ret;
}

/* Keeps the names that PV_GETXATTR would answer; the new length. */
static size_t filter_names(char *list, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t n = strnlen(list + at, len - at) + 1;

		if (at + n <= len && classify(list + at) == NAME_ALLOWED) {
			memmove(list + kept, list + at, n);
			kept += n;
		}
		at += n;
	}
	return kept;
}

int path_listxattr(struct call *c)
{
	cleanup_free char *list = malloc(XATTR_LIST_MAX);
	struct fd_name name;
	struct object o;
	ssize_t len;
	int ret = list ? begin(c, &o, &name) : -ENOMEM;

	if (ret)
		return ret;
	len = listxattr(name.name, list, XATTR_LIST_MAX);
	ret = len < 0 ? -errno : (int)filter_names(list, len);
	object_put(&o);
	if (ret > 0 && c->req.u.path.arg) {
		if ((u64)ret > c->req.u.path.arg)
			return -ERANGE;
		memcpy(c->buf, list, ret);
	}
	return ret;
}
