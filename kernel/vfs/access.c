/* SPDX-License-Identifier: Apache-2.0 */
/* Asking about names: access, readlink, statfs. */
#include "absent.h"
#include "cred.h"
#include "hostfs.h"
#include "syscall.h"
#include "user_ns.h"
#include "vfs_impl.h"

/* ---- access ---- */

s64 vfs_access_host(struct name *n, void *mode)
{
	return host_access(n, *(int *)mode);
}

static s64 guest_access(struct name *n, void *arg)
{
	int mode = *(int *)arg;

	if ((mode & MAY_WRITE) && n->mnt && (n->mnt->flags & MS_RDONLY) &&
	    (S_ISREG(n->inode->mode) || S_ISDIR(n->inode->mode) || S_ISLNK(n->inode->mode)))
		return -EROFS;
	if ((mode & MAY_EXEC) && S_ISREG(n->inode->mode) && n->mnt && (n->mnt->flags & MS_NOEXEC))
		return -EACCES;
	return mode ? inode_permission(n->inode, mode) : 0;
}

/* access(2) asks for the real ids. NULL: they are the effective ones already, or no memory. */
static struct cred *real_cred(void)
{
	const struct cred *c = current->cred;
	struct cred *real;

	if (c->fsuid == c->uid && c->fsgid == c->gid)
		return NULL;
	real = cred_copy(c);
	if (!real)
		return NULL;
	real->fsuid = c->uid;
	real->fsgid = c->gid;
	real->cap_effective = c->uid == c->user_ns->uid.root ? c->cap_permitted : 0;
	real->pv_id = 0;
	return real;
}

/* For the length of this call only, so without what cred_install() does besides. */
static struct cred *swap_cred(struct cred *c)
{
	struct cred *before;

	guard(&tasklist_lock);
	before = current->cred;
	current->cred = c;
	return before;
}

static long access_at(int dirfd, uaddr_t upath, int mode, u32 flags)
{
	char *path __name = getname_flags(upath, flags);
	struct cred *own = NULL, *real = NULL;
	struct name n;
	long r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (mode & ~7)
		return -EINVAL;
	if (!(flags & AT_EACCESS))
		real = real_cred();
	if (real)
		own = swap_cred(real);
	name_at(&n, dirfd, path,
		(flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : 0) |
			(flags & AT_EMPTY_PATH ? NAME_EMPTY : 0));
	r = name_run(&n, vfs_access_host, guest_access, &mode);
	if (real)
		cred_put(swap_cred(own));
	return r;
}

long sys_access(u64 path, u64 mode)
{
	return access_at(AT_FDCWD, path, (int)mode, 0);
}

long sys_faccessat(u64 dirfd, u64 path, u64 mode)
{
	return access_at((int)dirfd, path, (int)mode, 0);
}

long sys_faccessat2(u64 dirfd, u64 path, u64 mode, u64 flags)
{
	if ((u32)flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return access_at((int)dirfd, path, (int)mode, flags);
}

/* ---- readlink ---- */

struct link_text {
	char *buf; /* kernel, PATH_MAX */
	s64 len;
};

static s64 host_readlink(struct name *n, void *arg)
{
	struct link_text *t = arg;
	struct absent absent;
	struct pv_slot s;
	s64 r;

	if (n->tree && n->canon && !*n->text && !S_ISLNK(n->kind))
		return -EINVAL; /* a mountpoint; only of a descriptor it were ENOENT */
	if (absent_known(&absent, n, true))
		return -ENOENT;
	host_begin(&s, PV_READLINK, n);
	r = host_call(&s, n);
	if (r == -ENOENT)
		absent_found(&absent, &s);
	if (r >= 0 && r != PV_CROSS) {
		t->len = min(r, (s64)PATH_MAX);
		memcpy(t->buf, s.buf, t->len);
		r = 0;
	}
	host_end(&s);
	return r;
}

static s64 guest_readlink(struct name *n, void *arg)
{
	struct link_text *t = arg;

	if (!S_ISLNK(n->inode->mode) || !n->inode->ops->readlink)
		return -EINVAL;
	t->len = n->inode->ops->readlink(n->inode, t->buf, PATH_MAX);
	return t->len < 0 ? t->len : 0;
}

long sys_readlinkat(u64 dirfd, u64 upath, u64 to, u64 size)
{
	char *path __name = getname(upath);
	struct link_text t;
	struct name n;
	long r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if ((int)size <= 0)
		return -EINVAL;
	t.buf = kmalloc(PATH_MAX);
	if (!t.buf)
		return -ENOMEM;
	name_at(&n, (int)dirfd, path, NAME_NOFOLLOW | NAME_EMPTY);
	if (!*path && (int)dirfd == AT_FDCWD)
		n.err = -ENOENT;
	r = name_run(&n, host_readlink, guest_readlink, &t);
	if (!r) {
		t.len = min(t.len, (s64)(int)size);
		r = mc_copy_to_user(to, t.buf, t.len) ? -EFAULT : t.len;
	}
	kfree(t.buf);
	return r;
}

long sys_readlink(u64 path, u64 to, u64 size)
{
	return sys_readlinkat(AT_FDCWD, path, to, size);
}

/* ---- statfs ---- */

#define ST_VALID 0x20
#define ST_SHOWN (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

static s64 host_statfs(struct name *n, void *st)
{
	struct pv_slot s;
	s64 r;

	host_begin(&s, PV_STATFS, n);
	r = host_call(&s, n);
	if (r >= 0 && r != PV_CROSS) {
		memcpy(st, s.buf, sizeof(struct statfs));
		if (n->mnt)
			((struct statfs *)st)->f_flags |= n->mnt->flags & ST_SHOWN;
		r = 0;
	}
	host_end(&s);
	return r;
}

static s64 guest_statfs(struct name *n, void *arg)
{
	struct statfs *st = arg;

	memset(st, 0, sizeof(*st));
	st->f_bsize = st->f_frsize = PAGE_SIZE;
	st->f_namelen = NAME_MAX;
	st->f_flags = ST_VALID;
	if (n->mnt) {
		st->f_type = n->mnt->type->magic;
		st->f_fsid.val[0] = n->mnt->dev;
		st->f_flags |= n->mnt->flags & ST_SHOWN;
	} else {
		st->f_type = S_ISFIFO(n->inode->mode) ? 0x50495045 /* PIPEFS_MAGIC */ : 0x01021994;
	}
	return n->inode->ops->statfs ? n->inode->ops->statfs(n->inode, st) : 0;
}

long sys_statfs(u64 upath, u64 to)
{
	char *path __name = getname(upath);
	struct statfs st;
	struct name n;
	long r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	name_at(&n, AT_FDCWD, path, 0);
	r = name_run(&n, host_statfs, guest_statfs, &st);
	return r ? r : mc_copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}

long sys_fstatfs(u64 fd, u64 to)
{
	struct file *f __file = fd_get((int)fd);
	struct statfs st;
	struct name n;
	long r;

	if (!f)
		return -EBADF;
	name_file(&n, f);
	r = name_run(&n, host_statfs, guest_statfs, &st);
	return r ? r : mc_copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}
