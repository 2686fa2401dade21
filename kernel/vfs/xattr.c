/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: of host files, by the hypervisor; of guest file systems: xattr_guest.c. */
#include <linux/limits.h>

#include "hostfs.h"
#include "ring.h"
#include "syscall.h"
#include "vfs_impl.h"
#include "xattr.h"

static int import_name(struct xattr *x, uaddr_t uname)
{
	s64 len = mc_strncpy_from_user(x->name, uname, sizeof(x->name));

	if (len == -ENAMETOOLONG || !len)
		return -ERANGE;
	return len < 0 ? len : 0;
}

/* The answer is r bytes in the slot's buffer, for the caller's buffer of x->size. */
static s64 give(struct pv_slot *s, const struct xattr *x, s64 r)
{
	if (r <= 0 || r == PV_CROSS || !x->size)
		return r;
	if ((u64)r > x->size)
		return -ERANGE;
	return mc_copy_to_user(x->value, s->buf, r) ? -EFAULT : r;
}

static s64 host_get(struct name *n, void *arg)
{
	struct xattr *x = arg;
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_GETXATTR, n);
	host_path2(&s, x->name, strlen(x->name));
	s.req.u.path.arg = min(x->size, (u64)XATTR_SIZE_MAX);
	r = give(&s, x, host_call(&s, n));
	host_end(&s);
	return r;
}

static s64 host_set(struct name *n, void *arg)
{
	struct xattr *x = arg;
	struct pv_req_path *q;
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_SETXATTR, n);
	q = &s.req.u.path;
	host_path2(&s, x->name, strlen(x->name));
	q->arg = x->size;
	q->mode = x->flags;
	if (x->size && mc_copy_from_user(s.buf + q->path_len + q->path2_len, x->value, x->size))
		r = -EFAULT;
	else
		r = host_call(&s, n);
	host_end(&s);
	return r;
}

static s64 host_list(struct name *n, void *arg)
{
	struct xattr *x = arg;
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_LISTXATTR, n);
	s.req.u.path.arg = min(x->size, (u64)XATTR_LIST_MAX);
	r = give(&s, x, host_call(&s, n));
	host_end(&s);
	return r;
}

static s64 host_remove(struct name *n, void *arg)
{
	struct xattr *x = arg;
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_REMOVEXATTR, n);
	host_path2(&s, x->name, strlen(x->name));
	r = host_call(&s, n);
	host_end(&s);
	return r;
}

/* By path. */
static long by_path(uaddr_t upath, u32 flags, name_fn host, name_fn guest, struct xattr *x)
{
	char *path __name = getname(upath);
	struct name n;

	if (IS_ERR(path))
		return PTR_ERR(path);
	name_at(&n, AT_FDCWD, path, flags);
	return name_run(&n, host, guest, x);
}

static long by_fd(int fd, name_fn host, name_fn guest, struct xattr *x)
{
	struct file *f __file = fd_get_io(fd);
	struct name n;

	if (!f)
		return -EBADF;
	name_file(&n, f);
	return name_run(&n, host, guest, x);
}

static int import_set(struct xattr *x, u64 name, u64 value, u64 size, u64 flags)
{
	x->value = value;
	x->size = size;
	x->flags = flags;
	if (x->flags & ~3u) /* XATTR_CREATE, XATTR_REPLACE */
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	return import_name(x, name);
}

static int import_get(struct xattr *x, u64 name, u64 value, u64 size)
{
	x->value = value;
	x->size = size;
	return import_name(x, name);
}

long sys_setxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	struct xattr x;
	int r = import_set(&x, name, value, size, flags);

	return r ? r : by_path(path, 0, host_set, xattr_guest_set, &x);
}

long sys_lsetxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	struct xattr x;
	int r = import_set(&x, name, value, size, flags);

	return r ? r : by_path(path, NAME_NOFOLLOW, host_set, xattr_guest_set, &x);
}

long sys_fsetxattr(u64 fd, u64 name, u64 value, u64 size, u64 flags)
{
	struct xattr x;
	int r = import_set(&x, name, value, size, flags);

	return r ? r : by_fd((int)fd, host_set, xattr_guest_set, &x);
}

long sys_getxattr(u64 path, u64 name, u64 value, u64 size)
{
	struct xattr x;
	int r = import_get(&x, name, value, size);

	return r ? r : by_path(path, 0, host_get, xattr_guest_get, &x);
}

long sys_lgetxattr(u64 path, u64 name, u64 value, u64 size)
{
	struct xattr x;
	int r = import_get(&x, name, value, size);

	return r ? r : by_path(path, NAME_NOFOLLOW, host_get, xattr_guest_get, &x);
}

long sys_fgetxattr(u64 fd, u64 name, u64 value, u64 size)
{
	struct xattr x;
	int r = import_get(&x, name, value, size);

	return r ? r : by_fd((int)fd, host_get, xattr_guest_get, &x);
}

long sys_listxattr(u64 path, u64 list, u64 size)
{
	struct xattr x = {.value = list, .size = size};

	return by_path(path, 0, host_list, xattr_guest_list, &x);
}

long sys_llistxattr(u64 path, u64 list, u64 size)
{
	struct xattr x = {.value = list, .size = size};

	return by_path(path, NAME_NOFOLLOW, host_list, xattr_guest_list, &x);
}

long sys_flistxattr(u64 fd, u64 list, u64 size)
{
	struct xattr x = {.value = list, .size = size};

	return by_fd((int)fd, host_list, xattr_guest_list, &x);
}

long sys_removexattr(u64 path, u64 name)
{
	struct xattr x = {};
	int r = import_name(&x, name);

	return r ? r : by_path(path, 0, host_remove, xattr_guest_remove, &x);
}

long sys_lremovexattr(u64 path, u64 name)
{
	struct xattr x = {};
	int r = import_name(&x, name);

	return r ? r : by_path(path, NAME_NOFOLLOW, host_remove, xattr_guest_remove, &x);
}

long sys_fremovexattr(u64 fd, u64 name)
{
	struct xattr x = {};
	int r = import_name(&x, name);

	return r ? r : by_fd((int)fd, host_remove, xattr_guest_remove, &x);
}
