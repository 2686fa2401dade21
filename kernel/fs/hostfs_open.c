/* SPDX-License-Identifier: Apache-2.0 */
/* Opening files of the host file system. */
#include <linux/magic.h>
#include <linux/openat2.h>

#include "absent.h"
#include "brought.h"
#include "cred.h"
#include "hostfs.h"
#include "kept.h"
#include "kept_programs.h"
#include "mounts.h"
#include "pipe.h"
#include "vfs_impl.h"

#define HOST_STREAM 0x80000000u /* in inode.mnt_flags: descriptor 0, 1 or 2 from outside */

static void host_inode_release(struct inode *i)
{
	if (kept_give(i))
		return;
	if (i->handle)
		mc_handle_release(i->handle);
	kfree(i);
}

/* Everything else about host inodes goes through PV calls on their handle. */
static const struct inode_ops host_inode_ops = {
	.release = host_inode_release,
};

bool inode_is_host(const struct inode *i)
{
	return i->ops == &host_inode_ops;
}

/* gen: the last chown before the file's owner was asked for. */
struct inode *hostfs_inode(const struct pv_file *a, u32 handle, u32 gen)
{
	struct inode *i = kzalloc(sizeof(*i));

	if (!i)
		return NULL;
	ref_init(&i->ref);
	i->ops = &host_inode_ops;
	i->handle = handle;
	i->ino = a->ino;
	i->dev = RDEV(a->dev_major, a->dev_minor);
	i->rdev = RDEV(a->rdev_major, a->rdev_minor);
	i->mode = a->mode;
	i->uid = a->uid;
	i->gid = a->gid;
	i->size = a->size;
	i->nlink = 1;
	i->mtime.sec = a->mtime_sec;
	i->mtime.nsec = a->mtime_nsec;
	i->mnt_flags = a->mnt_flags;
	i->in_root = a->in_root;
	i->owner_gen = gen;
	return i;
}

static u32 access_mode(u32 flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	default:
		return FMODE_READ | FMODE_WRITE;
	}
}

/* The file on a handle of its own. Takes over the inode. */
static struct file *file_on_handle(struct inode *i, struct mount *mnt, u32 flags)
{
	u32 mode = access_mode(flags);
	const struct file_ops *ops = &hostfs_file_ops;
	struct file *f;

	if (flags & O_PATH) {
		ops = &path_file_ops;
		mode = FMODE_PATH;
	} else if (S_ISDIR(i->mode)) {
		ops = &hostfs_dir_ops;
	} else {
		mode |= FMODE_HOST;
	}
	f = file_new(ops, flags & ~OPEN_ONLY_FLAGS, mode);
	if (!f) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	f->inode = i;
	f->handle = i->handle;
	file_set_mount(f, mnt);
	if ((mode & FMODE_WRITE) && S_ISREG(i->mode))
		writers_add(i);
	return f;
}

/* What the hypervisor does not open: FIFOs, sockets and devices are the guest's own. */
static struct file *open_special(struct inode *i, struct mount *mnt, u32 flags)
{
	struct file *f;

	if (S_ISFIFO(i->mode))
		f = fifo_open(i->dev, i->ino, flags);
	else if (S_ISCHR(i->mode) && !(i->mnt_flags & MS_NODEV))
		f = device_open(i, flags);
	else
		f = ERR_PTR(S_ISCHR(i->mode) || S_ISBLK(i->mode) ? -EACCES : -ENXIO);
	if (IS_ERR(f)) {
		inode_put(i);
		return f;
	}
	f->inode = i;
	file_set_mount(f, mnt);
	return f;
}

/* Execute permission by owner, group and others; the hypervisor has checked reading. */
static bool may_execute(const struct pv_file *a)
{
	const struct cred *c = current->cred;
	u32 bits = a->mode;

	if (!S_ISREG(a->mode) || (a->mnt_flags & MS_NOEXEC))
		return false;
	if (capable(CAP_DAC_OVERRIDE))
		return bits & 0111;
	if (c->fsuid == a->uid)
		bits >>= 6;
	else if (cred_in_group(c, a->gid))
		bits >>= 3;
	return bits & 1;
}

static struct file *may_run(struct file *f, const struct pv_file *pf)
{
	if (IS_ERR(f) || (may_execute(pf) && !writers_any(f->inode)))
		return f;
	file_put(f);
	return ERR_PTR(may_execute(pf) ? -ETXTBSY : -EACCES);
}

/* What an open found: the answer to PV_OPEN. */
struct found {
	struct pv_file pf;
	char *text;
	struct brought *brought;
	u32 handle, gen;
};

/* The slot is still held, but not over anything that blocks. */
static void take_answer(struct pv_slot *s, struct found *o, u64 now)
{
	memcpy(&o->pf, s->buf, sizeof(o->pf));
	if (o->pf.path_len && o->pf.path_len <= PV_PATH_MAX)
		o->text = kstrndup((const char *)s->buf + sizeof(o->pf), o->pf.path_len);
	o->brought = brought_take(&o->pf, s->buf + sizeof(o->pf), now);
	host_end(s);
}

/* It becomes a file. */
static struct file *opened(struct found *o, const struct name *n, const struct open_args *a)
{
	struct mount *mnt = n->mnt ? n->mnt : host_mount();
	struct pv_file pf = o->pf;
	u32 handle = o->handle;
	struct inode *i;
	struct file *f;

	if (!pf.opened)
		host_handle_unused(handle);
	if (n->mnt)
		pf.mnt_flags |= n->mnt->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	i = hostfs_inode(&pf, pf.opened ? handle : 0, o->gen);
	if (!i)
		f = ERR_PTR(-ENOMEM);
	else if (!pf.opened)
		f = open_special(i, mnt, a->flags);
	else
		f = file_on_handle(i, mnt, a->flags);
	if (a->exec)
		f = may_run(f, &pf);
	if (IS_ERR(f)) {
		kfree(o->text);
		kfree(o->brought);
		return f;
	}
	f->name = o->text;
	brought_give(f, o->brought);
	return f;
}

/* /dev/stdout and the like: what the hypervisor was given for us cannot be opened anew, only
 * shared. */
static struct file *share_stream(struct inode *i, u32 flags)
{
	struct file *f = file_on_handle(inode_get(i), host_mount(), flags);

	if (!IS_ERR(f) && !(flags & O_PATH))
		f->mode |= FMODE_STREAM | FMODE_HOSTPOLL;
	return f;
}

/* want: of PV_WANT_DATA and PV_WILL_READ; now: before, 0: attributes are not wanted either. program: to be kept, -EXDEV: can't be. */
static s64 request_as(struct name *n, struct open_args *a, u32 want, u64 now, bool program)
{
	bool nofollow = (n->flags & NAME_NOFOLLOW) || (a->flags & O_NOFOLLOW);
	struct names_moment since = {0};
	struct absent absent = {};
	struct found o;
	struct pv_slot s;
	s64 r;

	if (!(a->flags & O_CREAT) && absent_known(&absent, n, nofollow))
		return -ENOENT;
	o = (struct found){.gen = hostfs_owner_gen(), .handle = host_handle_get()};
	if (!o.handle)
		return -ENFILE;
	if (program)
		since = names_moment();
	host_begin(&s, PV_OPEN, n);
	s.req.u.path.flags = a->flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (n->flags & NAME_NOFOLLOW)
		s.req.u.path.flags |= O_NOFOLLOW;
	s.req.u.path.mode = a->mode;
	s.req.u.path.arg = o.handle;
	s.req.u.path.resolve |= want;
	if (a->exec)
		s.req.u.path.resolve |= PV_WANT_PATH;
	if (program)
		s.req.u.path.resolve |= RESOLVE_NO_XDEV;
	r = host_call(&s, n);
	if (r < 0 || r == PV_CROSS) {
		if (r == -ENOENT)
			absent_found(&absent, &s);
		host_end(&s);
		host_handle_unused(o.handle);
		return r;
	}
	take_answer(&s, &o, now);
	a->file = opened(&o, n, a);
	if (program && !IS_ERR(a->file))
		programs_add(n, &since, &o.pf, a->file);
	return IS_ERR(a->file) ? PTR_ERR(a->file) : 0;
}

static s64 request(struct name *n, struct open_args *a, u32 want, u64 now)
{
	s64 r;

	if (!a->exec || !programs_fit(n) || !programs_worth(n))
		return request_as(n, a, want, now, false);
	r = request_as(n, a, want, now, true);
	if (r != -EXDEV)
		return r;
	programs_leave(n);
	return request_as(n, a, want, now, false);
}

/* A file that is kept, or that is to be. -EAGAIN: neither. */
static s64 open_kept(struct name *n, struct open_args *a)
{
	struct inode *i = kept_take(n);
	struct kept_place place;
	struct name in_dir;
	s64 r;

	if (i) {
		a->file = file_on_handle(i, host_mount(), a->flags);
		return IS_ERR(a->file) ? PTR_ERR(a->file) : 0;
	}
	kept_find_place(n, &place);
	if (!place.dir)
		return -EAGAIN;
	in_dir = *n;
	in_dir.dir = kept_place_handle(&place);
	in_dir.text = place.last;
	in_dir.flags |= NAME_NOFOLLOW;
	in_dir.absolute = true;
	r = request(&in_dir, a, 0, 0);
	kfree(in_dir.owned);
	kept_add(n, &place, r ? NULL : a->file);
	return r ? -EAGAIN : 0;
}

/* A program that is open already. -EAGAIN: it is not. */
static s64 open_program(struct name *n, struct open_args *a)
{
	struct program_found found;
	s64 r = programs_take(n, &found);

	if (r)
		return r;
	a->file = may_run(file_on_handle(found.inode, host_mount(), a->flags), &found.pf);
	if (IS_ERR(a->file)) {
		kfree(found.path);
		return PTR_ERR(a->file);
	}
	a->file->name = found.path;
	return 0;
}

s64 hostfs_open(struct name *n, void *arg)
{
	struct open_args *a = arg;
	u32 want;
	u64 now;
	s64 r;

	if (!*n->text && n->inode && (n->inode->mnt_flags & HOST_STREAM)) {
		a->file = S_ISSOCK(n->inode->mode) ? ERR_PTR(-ENXIO)
						   : share_stream(n->inode, a->flags);
		return IS_ERR(a->file) ? PTR_ERR(a->file) : 0;
	}
	if (!*n->text && n->tree && (a->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST; /* a mountpoint or "." */
	if (kept_fits(n, a))
		r = open_kept(n, a);
	else
		r = a->exec && programs_fit(n) ? open_program(n, a) : -EAGAIN;
	if (r != -EAGAIN)
		return r;
	want = brought_wanted(a, &now);
	return request(n, a, want, now);
}

int hostfs_open_dir(const char *path, struct path *out)
{
	struct pv_slot s;
	struct pv_file pf;
	u32 handle = host_handle_get();
	s64 r;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_OPEN;
	s.req.u.path.path_len = strlen(path);
	memcpy(s.buf, path, strlen(path));
	s.req.u.path.flags = O_PATH | O_DIRECTORY;
	s.req.u.path.arg = handle;
	r = mc_pv_call(&s);
	memcpy(&pf, s.buf, sizeof(pf));
	mc_pv_put(&s);
	if (r < 0 || r == PV_CROSS) {
		host_handle_unused(handle);
		return r < 0 ? r : -ENOTDIR;
	}
	out->inode = hostfs_inode(&pf, handle, hostfs_owner_gen());
	out->mnt = NULL;
	out->name = kstrdup(path);
	return out->inode ? 0 : -ENOMEM;
}

/* Takes over the handle. flags: how it was opened; 0 to 2 of the first process we are not told. */
static struct file *foreign_file(u32 handle, int fd, int flags)
{
	struct pv_file pf = {.mode = S_IFCHR | 0600};
	struct stat st;
	struct inode *i;
	struct file *f;

	if (!mc_fstat(handle, &st)) {
		pf.mode = st.st_mode;
		pf.ino = st.st_ino;
		pf.uid = st.st_uid;
		pf.gid = st.st_gid;
		pf.dev_major = dev_major(st.st_dev);
		pf.dev_minor = dev_minor(st.st_dev);
		pf.rdev_major = dev_major(st.st_rdev);
		pf.rdev_minor = dev_minor(st.st_rdev);
	}
	i = hostfs_inode(&pf, handle, hostfs_owner_gen() - 1 /* ask when it matters */);
	if (!i)
		return ERR_PTR(-ENOMEM);
	if (flags < 0) /* a terminal serves both ways, all else by its number */
		flags = S_ISCHR(pf.mode) || S_ISSOCK(pf.mode) ? O_RDWR : fd ? O_WRONLY : O_RDONLY;
	f = file_on_handle(i, host_mount(), (u32)flags);
	if (IS_ERR(f))
		return f;
	if (!S_ISREG(pf.mode) && !S_ISDIR(pf.mode) && !S_ISBLK(pf.mode)) {
		f->mode |= FMODE_STREAM | FMODE_HOSTPOLL;
		i->mnt_flags |= HOST_STREAM;
	}
	return f;
}

struct file *hostfs_stdio(u32 handle, int fd)
{
	return foreign_file(handle, fd, -1);
}

struct file *hostfs_take(u32 event, u32 index)
{
	u32 handle = host_handle_get();
	struct pv_slot s;
	s64 r;

	if (!handle)
		return ERR_PTR(-ENFILE);
	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_TAKE_FD;
	s.req.u.handle.id = handle;
	s.req.u.handle.off = event;
	s.req.u.handle.len = index;
	r = mc_pv_call(&s);
	mc_pv_put(&s);
	if (r >= 0)
		return foreign_file(handle, (int)index, (int)r & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	host_handle_unused(handle);
	return ERR_PTR(r);
}

struct inode *hostfs_handle_inode(u32 handle)
{
	struct inode probe = {.ops = &host_inode_ops, .handle = handle};
	struct name n = {.host = true, .dir = handle, .text = "", .base.inode = &probe};
	struct pv_file pf = {};
	struct inode *i;
	struct statx st;
	s64 r = hostfs_stat(&n, &st);

	if (r)
		return ERR_PTR(r < 0 ? r : -EINVAL);
	pf.mode = st.stx_mode;
	pf.ino = st.stx_ino;
	pf.dev_major = st.stx_dev_major;
	pf.dev_minor = st.stx_dev_minor;
	pf.uid = st.stx_uid;
	pf.gid = st.stx_gid;
	i = hostfs_inode(&pf, handle, hostfs_owner_gen());
	return i ? i : ERR_PTR(-ENOMEM);
}
