/* SPDX-License-Identifier: Apache-2.0 */
/* PV calls on names and handles of the host file system. */
#include <linux/openat2.h>

#include "hostfs.h"

#include "absent.h"
#include "cred.h"
#include "names.h"
#include "stat_run.h"
#include "task.h"
#include "vfs_impl.h"

#define SPARE_HANDLES 32

static struct mutex spare_lock;
static u32 spare[SPARE_HANDLES];
static u32 nspare;

/* Most opens that a dynamic linker makes fail: their numbers were never used and need no release. */
u32 host_handle_get(void)
{
	guard(&spare_lock);
	return nspare ? spare[--nspare] : mc_handle_alloc();
}

void host_handle_unused(u32 handle)
{
	guard(&spare_lock);
	if (nspare < SPARE_HANDLES)
		spare[nspare++] = handle;
}

static u32 caller_pid(void)
{
	return current->proc ? current->proc->pid : 0;
}

void host_begin(struct pv_slot *s, u32 cmd, const struct name *n)
{
	u32 cred = n->all_powers ? 0 : cred_pv_id(); /* may itself need a slot */
	struct pv_req_path *q;
	size_t len = strlen(n->text);

	mc_pv_get(s);
	memset(&s->req.u, 0, sizeof(s->req.u));
	s->req.cmd = cmd;
	q = &s->req.u.path;
	q->dir = n->dir;
	q->cred = cred;
	q->pid = caller_pid();
	q->root = !n->absolute && path_is_set(&n->root) ? n->root.inode->handle : 0;
	q->resolve = n->resolve | (n->whole ? RESOLVE_NO_SYMLINKS : 0);
	if (n->flags & NAME_NOFOLLOW)
		q->flags |= PV_AT_NOFOLLOW;
	if (!len && n->dir)
		q->flags |= PV_AT_EMPTY;
	if (!len && !n->dir) {
		s->buf[0] = '/';
		q->path_len = 1;
		return;
	}
	if (len > PATH_MAX - 1)
		len = PATH_MAX; /* the hypervisor's answer is ENAMETOOLONG; getname lets none
				   through */
	memcpy(s->buf, n->text, len);
	q->path_len = len;
}

bool host_path2(struct pv_slot *s, const char *text, size_t len)
{
	if (len > PATH_MAX - 1)
		return false;
	memcpy(s->buf + s->req.u.path.path_len, text, len);
	s->req.u.path.path2_len = len;
	return true;
}

static bool is_stored(u32 kind)
{
	return !S_ISFIFO(kind) && !S_ISSOCK(kind) && !S_ISCHR(kind) && !S_ISBLK(kind);
}

static int read_only(const struct name *n, const struct pv_req_path *q, u32 cmd)
{
	switch (cmd) {
	case PV_MKDIR:
	case PV_MKNOD:
	case PV_SYMLINK:
		return n->kind ? -EEXIST : -EROFS;
	case PV_UNLINK:
	case PV_CHMOD:
	case PV_CHOWN:
	case PV_UTIMES:
	case PV_TRUNCATE:
	case PV_SETXATTR:
	case PV_REMOVEXATTR:
		return -EROFS;
	case PV_ACCESS:
		return (q->mode & 2 /* W_OK */) && is_stored(n->kind) ? -EROFS : 0;
	case PV_OPEN:
		if (q->flags & O_PATH)
			return 0;
		if (!n->kind || (q->flags & __O_TMPFILE))
			return q->flags & (O_CREAT | __O_TMPFILE) ? -EROFS : 0;
		if ((q->flags & O_ACCMODE) == O_RDONLY && !(q->flags & O_TRUNC))
			return 0;
		return is_stored(n->kind) && !S_ISDIR(n->kind) ? -EROFS : 0;
	default:
		return 0;
	}
}

/* What the flags of a mount of this kernel forbid, where the host knows of none. */
static int mount_forbids(const struct name *n, const struct pv_slot *s)
{
	u32 flags = n->mnt ? n->mnt->flags : 0;

	if ((flags & MS_NOEXEC) && s->req.cmd == PV_ACCESS && (s->req.u.path.mode & 1 /* X_OK */) &&
	    S_ISREG(n->kind))
		return -EACCES;
	return flags & MS_RDONLY ? read_only(n, &s->req.u.path, s->req.cmd) : 0;
}

/* Calls that the hypervisor can make without following links, and that need no look at the object first. */
static bool serves_whole(const struct name *n, const struct pv_slot *s)
{
	u32 flags = s->req.u.path.flags;

	switch (s->req.cmd) {
	case PV_STAT:
	case PV_READLINK:
		return true;
	case PV_ACCESS:
		return !(n->mnt->flags & (MS_RDONLY | MS_NOEXEC));
	case PV_OPEN:
		if (flags & __O_TMPFILE)
			return false;
		return !(n->mnt->flags & MS_RDONLY) || (flags & O_PATH) || !(flags & (O_ACCMODE | O_TRUNC));
	default:
		return false;
	}
}

/* Does the call change attributes of files, if only an access time? */
static bool changes(const struct pv_slot *s)
{
	switch (s->req.cmd) {
	case PV_STAT:
	case PV_ACCESS:
	case PV_STATFS:
	case PV_GETXATTR:
	case PV_LISTXATTR:
	case PV_PATHOF:
	case PV_RESOLVE:
	case PV_INOTIFY_ADD:
		return false;
	case PV_OPEN:
		return s->req.u.path.flags & (O_CREAT | O_TRUNC | __O_TMPFILE);
	default:
		return true;
	}
}

/* ... or what a name is, or who may use it? */
static bool changes_names(const struct pv_slot *s)
{
	switch (s->req.cmd) {
	case PV_OPEN:
		return s->req.u.path.flags & O_CREAT;
	case PV_READLINK:
	case PV_UTIMES:
	case PV_TRUNCATE:
	case PV_UNIX_CONNECT:
		return false;
	default:
		return changes(s);
	}
}

/* ... and only adds one? */
static bool makes_name(const struct pv_slot *s)
{
	switch (s->req.cmd) {
	case PV_OPEN:
	case PV_MKDIR:
	case PV_MKNOD:
	case PV_SYMLINK:
		return true;
	default:
		return false;
	}
}

static s64 pv_call(struct pv_slot *s)
{
	bool changing = changes(s), names = changes_names(s), made = makes_name(s);
	s64 r;

	if (names)
		names_changing(made);
	r = mc_pv_call(s);
	if (names)
		names_changed(made);
	if (changing)
		stat_runs_changed();
	return r;
}

/* A link on the way, or last, or a call that needs more: the walk is repeated in steps. */
static s64 in_steps(struct name *n)
{
	n->in_steps = true;
	n->text = n->start;
	return PV_CROSS;
}

static s64 call_whole(struct pv_slot *s, struct name *n)
{
	s64 r;

	if (!serves_whole(n, s))
		return in_steps(n);
	r = pv_call(s);
	return r == -ELOOP || r == PV_CROSS ? in_steps(n) : r;
}

s64 host_call(struct pv_slot *s, struct name *n)
{
	s64 r;

	if (n->whole)
		return call_whole(s, n);
	r = mount_forbids(n, s);
	if (r)
		return r;
	r = pv_call(s);

	if (r != PV_CROSS)
		return r;
	if (n->tree) /* somebody has put a marker there this instant: nothing that this tree shows */
		return -ENOENT;
	r = name_restart(n, (const char *)s->buf, s->rsp.val);
	return r ? r : PV_CROSS;
}

s64 host_simple(struct name *n, u32 cmd, u32 flags, u32 mode, u64 arg)
{
	struct pv_slot s;
	s64 r;

	host_begin(&s, cmd, n);
	s.req.u.path.flags |= flags;
	s.req.u.path.mode = mode;
	s.req.u.path.arg = arg;
	r = host_call(&s, n);
	host_end(&s);
	return r;
}

s64 host_access(struct name *n, int mode)
{
	struct absent absent;
	struct pv_slot s;
	s64 r;

	if (absent_known(&absent, n, n->flags & NAME_NOFOLLOW))
		return -ENOENT;
	host_begin(&s, PV_ACCESS, n);
	s.req.u.path.mode = (u32)mode;
	r = host_call(&s, n);
	if (r == -ENOENT)
		absent_found(&absent, &s);
	host_end(&s);
	return r;
}

s64 host_handle_call(u32 cmd, u32 handle, u32 flags, u64 off, u64 len)
{
	u32 cred = cred_pv_id();
	struct pv_slot s;
	s64 r;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = cmd;
	s.req.u.handle.id = handle;
	s.req.u.handle.cred = cred;
	s.req.u.handle.pid = caller_pid();
	s.req.u.handle.flags = flags;
	s.req.u.handle.off = off;
	s.req.u.handle.len = len;
	r = mc_pv_call(&s);
	stat_runs_changed();
	mc_pv_put(&s);
	return r;
}

char *host_path_of(u32 handle)
{
	struct pv_slot s;
	char *text;
	s64 r;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_PATHOF;
	s.req.u.path.dir = handle;
	s.req.u.path.flags = PV_AT_EMPTY;
	r = mc_pv_call(&s);
	if (r < 0)
		text = ERR_PTR(r);
	else
		text = kstrndup((const char *)s.buf, min((u64)r, (u64)PV_PATH_MAX + 16));
	mc_pv_put(&s);
	return text ? text : ERR_PTR(-ENOMEM);
}

static u32 request_paths(struct pv_req_xen_release *q, const u32 *handles, u32 n)
{
	u32 wanted = 0;

	*q = (struct pv_req_xen_release){0};
	for (u32 i = 0; i < n; i++) {
		if (!handles[i])
			continue;
		if (wanted++)
			q->more[q->count++] = handles[i];
		else
			q->id = handles[i];
	}
	return wanted;
}

void host_paths_of(const u32 *handles, char **texts, u32 n)
{
	struct pv_slot s;
	s64 r, at = 0;

	memset(texts, 0, n * sizeof(*texts));
	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_PATHS_OF;
	r = request_paths(&s.req.u.release, handles, n) ? mc_pv_call(&s) : 0;
	for (u32 i = 0; i < n && at < min(r, (s64)RING_BUF_SIZE); i++) {
		const char *text = (const char *)s.buf + at;

		if (!handles[i])
			continue;
		texts[i] = *text ? kstrndup(text, min((u64)(r - at), (u64)PV_PATH_MAX)) : NULL;
		at += (s64)strnlen(text, (size_t)(r - at)) + 1;
	}
	mc_pv_put(&s);
}

static u32 owner_gen;

u32 hostfs_owner_gen(void)
{
	return __atomic_load_n(&owner_gen, __ATOMIC_ACQUIRE);
}

void hostfs_owner_changed(void)
{
	__atomic_add_fetch(&owner_gen, 1, __ATOMIC_ACQ_REL);
}

/* An open file's owner is known from now on. */
static void learn_owner(struct inode *i, const struct statx *st, u32 gen)
{
	i->uid = st->stx_uid;
	i->gid = st->stx_gid;
	i->owner_gen = gen;
}

s64 hostfs_stat(struct name *n, void *statx)
{
	u32 gen = hostfs_owner_gen();
	struct absent absent;
	struct pv_slot s;
	s64 r;

	if (!stat_run(n, statx))
		return 0;
	if (absent_known(&absent, n, n->flags & NAME_NOFOLLOW))
		return -ENOENT;
	host_begin(&s, PV_STAT, n);
	r = host_call(&s, n);
	if (r == -ENOENT)
		absent_found(&absent, &s);
	if (r >= 0 && r != PV_CROSS) {
		memcpy(statx, s.buf, sizeof(struct statx));
		stat_mount(n, statx);
		if (!*n->text && n->base.inode && n->dir == n->base.inode->handle && n->dir)
			learn_owner(n->base.inode, statx, gen);
		r = 0;
	}
	host_end(&s);
	return r;
}

static int hostfs_mount(struct mount *m, const char *options, struct inode **root)
{
	return -EPERM; /* only the hypervisor mounts these */
}

struct fs_type hostfs_type = {
	.name = "overlay",
	.magic = 0x794c7630,
	.host = true,
	.mount = hostfs_mount,
};
