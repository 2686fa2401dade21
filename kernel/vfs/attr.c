/* SPDX-License-Identifier: Apache-2.0 */
/* Changing attributes: chmod, chown, times. */
#include <linux/time.h>

#include "hostfs.h"
#include "syscall.h"
#include "user_ns.h"
#include "vfs_impl.h"

static u32 name_flags(u64 at_flags)
{
	return (at_flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : 0) |
	       (at_flags & AT_EMPTY_PATH ? NAME_EMPTY : 0);
}

static int writable(const struct name *n)
{
	return n->mnt && (n->mnt->flags & MS_RDONLY) ? -EROFS : 0;
}

/*
 * Root of a user namespace has powers over files whose owners have ids there. The hypervisor knows nothing of this: what it
 * has refused is done with all powers, on the very object that has been looked at.
 */
static bool nested_power(s64 error, int cap)
{
	return unlikely(error == -EPERM || error == -EACCES) && current_user_ns() != &init_user_ns &&
	       capable_here(cap);
}

static s64 with_power(struct file *f, int cap, name_fn host, name_fn guest, void *arg,
		      s64 error)
{
	struct statx st;
	struct name n;

	if (vfs_fstat(f, &st) || !capable_owner(st.stx_uid, st.stx_gid, cap))
		return error;
	name_file(&n, f);
	n.all_powers = true;
	return name_run(&n, host, guest, arg);
}

static s64 run_at(int dirfd, const char *path, u32 flags, int cap, name_fn host, name_fn guest, void *arg)
{
	struct file *f __file = NULL;
	struct name n;
	s64 r;

	name_at(&n, dirfd, path, flags);
	r = name_run(&n, host, guest, arg);
	if (!nested_power(r, cap))
		return r;
	if (flags & NAME_EMPTY && !*path)
		f = fd_get(dirfd);
	else
		f = vfs_open(dirfd, path, O_PATH | (flags & NAME_NOFOLLOW ? O_NOFOLLOW : 0), 0);
	if (IS_ERR(f)) {
		f = NULL;
		return r;
	}
	return f ? with_power(f, cap, host, guest, arg, r) : r;
}

static s64 run_file(struct file *f, int cap, name_fn host, name_fn guest, void *arg)
{
	struct name n;
	s64 r;

	name_file(&n, f);
	r = name_run(&n, host, guest, arg);
	return nested_power(r, cap) ? with_power(f, cap, host, guest, arg, r) : r;
}

/* ---- chmod ---- */

static s64 host_chmod(struct name *n, void *mode)
{
	return host_simple(n, PV_CHMOD, 0, *(u32 *)mode, 0);
}

static s64 guest_chmod(struct name *n, void *mode)
{
	struct iattr a = {.valid = ATTR_MODE, .mode = *(u32 *)mode};
	int r = writable(n);

	if (r)
		return r;
	if (S_ISLNK(n->inode->mode))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(n->inode))
		return -EPERM;
	if (!cred_in_group(current->cred, n->inode->gid) && !capable_inode(n->inode, CAP_FSETID))
		a.mode &= ~(u32)S_ISGID;
	return inode_setattr(n->inode, &a);
}

static long chmod_at(int dirfd, uaddr_t upath, u32 mode, u32 flags)
{
	char *path __name = getname_flags(upath, flags & NAME_EMPTY ? AT_EMPTY_PATH : 0);

	if (IS_ERR(path))
		return PTR_ERR(path);
	mode &= 07777;
	return run_at(dirfd, path, flags, CAP_FOWNER, host_chmod, guest_chmod, &mode);
}

long sys_fchmodat(u64 dirfd, u64 path, u64 mode)
{
	return chmod_at((int)dirfd, path, mode, 0);
}

long sys_fchmodat2(u64 dirfd, u64 path, u64 mode, u64 flags)
{
	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chmod_at((int)dirfd, path, mode, name_flags(flags));
}

long sys_chmod(u64 path, u64 mode)
{
	return chmod_at(AT_FDCWD, path, mode, 0);
}

long sys_fchmod(u64 fd, u64 umode)
{
	struct file *f __file = fd_get_io((int)fd);
	u32 mode = umode & 07777;

	return f ? run_file(f, CAP_FOWNER, host_chmod, guest_chmod, &mode) : -EBADF;
}

/* ---- chown ---- */

#define KEEP 0xffffffffu

struct owner {
	u32 uid, gid;
};

static s64 host_chown(struct name *n, void *arg)
{
	struct owner *o = arg;
	s64 r = host_simple(n, PV_CHOWN, 0, 0, o->uid | (u64)o->gid << 32);

	hostfs_owner_changed();
	return r;
}

static bool may_chown(const struct inode *i, const struct owner *o)
{
	const struct cred *c = current->cred;

	if (capable_inode(i, CAP_CHOWN))
		return true;
	if (c->fsuid != i->uid || (o->uid != KEEP && o->uid != i->uid))
		return false;
	return o->gid == KEEP || o->gid == i->gid || cred_in_group(c, o->gid);
}

static s64 guest_chown(struct name *n, void *arg)
{
	struct owner *o = arg;
	struct iattr a = {.uid = o->uid, .gid = o->gid};
	int r = writable(n);

	if (r)
		return r;
	if (!may_chown(n->inode, o))
		return -EPERM;
	if (o->uid != KEEP)
		a.valid |= ATTR_UID;
	if (o->gid != KEEP)
		a.valid |= ATTR_GID;
	if (S_ISREG(n->inode->mode) && (n->inode->mode & 06000)) {
		a.valid |= ATTR_MODE;
		a.mode = n->inode->mode & 01777;
	}
	return inode_setattr(n->inode, &a);
}

static long chown_at(int dirfd, uaddr_t upath, u64 uid, u64 gid, u32 flags)
{
	char *path __name = getname_flags(upath, flags & NAME_EMPTY ? AT_EMPTY_PATH : 0);
	struct owner o;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (!take_uid(uid, &o.uid) || !take_gid(gid, &o.gid))
		return -EINVAL;
	return run_at(dirfd, path, flags, CAP_CHOWN, host_chown, guest_chown, &o);
}

long sys_fchownat(u64 dirfd, u64 path, u64 uid, u64 gid, u64 flags)
{
	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chown_at((int)dirfd, path, uid, gid, name_flags(flags));
}

long sys_chown(u64 path, u64 uid, u64 gid)
{
	return chown_at(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(u64 path, u64 uid, u64 gid)
{
	return chown_at(AT_FDCWD, path, uid, gid, NAME_NOFOLLOW);
}

long sys_fchown(u64 fd, u64 uid, u64 gid)
{
	struct file *f __file = fd_get_io((int)fd);
	struct owner o;

	if (!f)
		return -EBADF;
	if (!take_uid(uid, &o.uid) || !take_gid(gid, &o.gid))
		return -EINVAL;
	return run_file(f, CAP_CHOWN, host_chown, guest_chown, &o);
}

/* ---- times ---- */

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

struct times {
	struct {
		s64 sec, nsec;
	} t[2]; /* access, modification */
};

static s64 host_utimes(struct name *n, void *times)
{
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_UTIMES, n);
	memcpy(s.buf + s.req.u.path.path_len, times, sizeof(struct times));
	r = host_call(&s, n);
	host_end(&s);
	return r;
}

static bool both_now(const struct times *t)
{
	return t->t[0].nsec == UTIME_NOW && t->t[1].nsec == UTIME_NOW;
}

static void resolve_now(struct times *t)
{
	u64 now = mc_clock(0 /* CLOCK_REALTIME */);

	for (int i = 0; i < 2; i++)
		if (t->t[i].nsec == UTIME_NOW) {
			t->t[i].sec = now / NSEC_PER_SEC;
			t->t[i].nsec = now % NSEC_PER_SEC;
		}
}

static s64 guest_utimes(struct name *n, void *arg)
{
	struct times t = *(struct times *)arg;
	struct iattr a = {};
	int r = writable(n);

	if (r)
		return r;
	if (!inode_owner_or_capable(n->inode)) {
		r = both_now(&t) ? inode_permission(n->inode, MAY_WRITE) : -EPERM;
		if (r)
			return r;
	}
	resolve_now(&t);
	if (t.t[0].nsec != UTIME_OMIT)
		a.valid |= ATTR_ATIME;
	if (t.t[1].nsec != UTIME_OMIT)
		a.valid |= ATTR_MTIME;
	a.atime.sec = t.t[0].sec;
	a.atime.nsec = t.t[0].nsec;
	a.mtime.sec = t.t[1].sec;
	a.mtime.nsec = t.t[1].nsec;
	return inode_setattr(n->inode, &a);
}

/* upath 0: the descriptor itself. */
static long set_times(int dirfd, uaddr_t upath, struct times *t, u32 flags)
{
	for (int i = 0; i < 2; i++) {
		s64 ns = t->t[i].nsec;

		if (ns != UTIME_NOW && ns != UTIME_OMIT && (ns < 0 || ns >= (s64)NSEC_PER_SEC))
			return -EINVAL;
	}
	if (t->t[0].nsec == UTIME_OMIT && t->t[1].nsec == UTIME_OMIT)
		return 0;
	if (!upath && dirfd != AT_FDCWD) {
		struct file *f __file = fd_get_io(dirfd);

		if (!f)
			return -EBADF;
		return run_file(f, CAP_FOWNER, host_utimes, guest_utimes, t);
	} else {
		char *path __name = getname(upath);

		if (IS_ERR(path))
			return PTR_ERR(path);
		return run_at(dirfd, path, flags, CAP_FOWNER, host_utimes, guest_utimes, t);
	}
}

static const struct times now = {{{0, UTIME_NOW}, {0, UTIME_NOW}}};

long sys_utimensat(u64 dirfd, u64 path, u64 utimes, u64 flags)
{
	struct times t = now;

	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (utimes && mc_copy_from_user(&t, utimes, sizeof(t)))
		return -EFAULT;
	return set_times((int)dirfd, path, &t, name_flags(flags));
}

/* struct timeval: microseconds. */
static long utimes_at(int dirfd, uaddr_t path, uaddr_t utimes)
{
	struct times t = now;

	if (utimes && mc_copy_from_user(&t, utimes, sizeof(t)))
		return -EFAULT;
	for (int i = 0; utimes && i < 2; i++) {
		if (t.t[i].nsec < 0 || t.t[i].nsec >= 1000000)
			return -EINVAL;
		t.t[i].nsec *= 1000;
	}
	return set_times(dirfd, path, &t, 0);
}

long sys_utimes(u64 path, u64 utimes)
{
	return utimes_at(AT_FDCWD, path, utimes);
}

long sys_futimesat(u64 dirfd, u64 path, u64 utimes)
{
	return utimes_at((int)dirfd, path, utimes);
}

long sys_utime(u64 path, u64 utimes)
{
	struct times t = now;
	s64 sec[2];

	if (utimes) {
		if (mc_copy_from_user(sec, utimes, sizeof(sec)))
			return -EFAULT;
		t = (struct times){{{sec[0], 0}, {sec[1], 0}}};
	}
	return set_times(AT_FDCWD, path, &t, 0);
}
