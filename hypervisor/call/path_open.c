/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PV_OPEN. Regular files are opened and donated; directories are opened and stay here. Devices,
 * FIFOs and sockets are only described: the guest serves them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "call/file.h"
#include "call/path.h"
#include "call/server_impl.h"

#define OPEN_FLAGS                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT |      \
	 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH | O_TMPFILE | O_CLOEXEC |     \
	 O_NOCTTY | O_ASYNC | 0100000)
#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW)
#define STATX_WANTED (STATX_BASIC_STATS | STATX_MNT_ID)

int path_open_decode(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	int ret = decode_path(c);

	if (ret == 0)
		ret = decode_new_handle(c, "arg", r->arg);
	if (ret == 0 && (r->flags & ~(u32)OPEN_FLAGS))
		ret = -EINVAL;
	return ret;
}

static bool makes_file(u32 flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

/* What the host has lent for reading only is not written to through another descriptor, and so on. */
static int as_lent(const struct pv_handle *h, u64 *flags)
{
	int lent = fcntl(h->fd, F_GETFL);
	u64 access = *flags & O_ACCMODE;

	if (lent < 0 || (lent & O_PATH))
		return -EACCES;
	if ((lent & O_ACCMODE) != O_RDWR && access != (u64)(lent & O_ACCMODE))
		return -EACCES;
	if ((*flags & O_TRUNC) && access == O_RDONLY)
		return -EACCES;
	*flags |= lent & O_APPEND;
	return 0;
}

/*
 * The object of an open handle. Permissions are checked as for any other name of it; what came
 * from outside has no name here.
 */
static int open_again(struct call *c, u64 flags)
{
	mode_t mode = c->req.u.path.mode & 07777; /* O_TMPFILE */
	int fd = 0;

	if (c->dir[0] && c->dir[0]->foreign && !(flags & O_PATH))
		fd = as_lent(c->dir[0], &flags);
	if (fd < 0)
		return fd;
	fd = openat(AT_FDCWD, fd_name(c->dirfd[0]).name, (int)flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

static int native_open(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	u64 flags = r->flags & ~(u32)(O_CLOEXEC | O_NOCTTY | O_ASYNC);

	if (flags & O_PATH)
		flags &= PATH_FLAGS;
	else
		flags |= O_NONBLOCK; /* a FIFO's or a lease's; regular files do not mind */
	if (!c->path[0][0])
		return open_again(c, flags & ~(u64)(O_CREAT | O_EXCL | O_NOFOLLOW));
	return open_in(c->dirfd[0], c->path[0], flags, makes_file(flags) ? r->mode & 07777 : 0,
		       r->resolve & ~PV_WANT);
}

static void describe(const struct statx *st, struct pv_file *f)
{
	memset(f, 0, sizeof(*f));
	f->ino = st->stx_ino;
	f->dev_major = st->stx_dev_major;
	f->dev_minor = st->stx_dev_minor;
	f->mode = st->stx_mode;
	f->size = st->stx_size;
	f->uid = st->stx_uid;
	f->gid = st->stx_gid;
	f->rdev_major = st->stx_rdev_major;
	f->rdev_minor = st->stx_rdev_minor;
	f->mtime_sec = st->stx_mtime.tv_sec;
	f->mtime_nsec = st->stx_mtime.tv_nsec;
	f->nlink = st->stx_nlink;
	f->blksize = st->stx_blksize;
	f->blocks = st->stx_blocks;
	f->atime_sec = st->stx_atime.tv_sec;
	f->atime_nsec = st->stx_atime.tv_nsec;
	f->ctime_sec = st->stx_ctime.tv_sec;
	f->ctime_nsec = st->stx_ctime.tv_nsec;
}

/* What does not change while the container runs: asked once for each mount id. */
static struct mount_flags_entry mount_of(struct pv_server *srv, int fd, u64 mnt_id)
{
	struct mount_flags_entry *e = &srv->mount_flags[mnt_id % MOUNT_FLAGS_CACHE];
	struct statfs fs;

	if (e->known && e->mnt_id == mnt_id)
		return *e;
	if (fstatfs(fd, &fs) < 0)
		/* a disk that fails: rather too little than too much, this time */
		return (struct mount_flags_entry){ .flags = ST_NOSUID | ST_NODEV | ST_NOEXEC };
	*e = (struct mount_flags_entry){ .mnt_id = mnt_id, .flags = fs.f_flags, .known = true, .plain = plain_fs(&fs) };
	return *e;
}

static int answer(struct call *c, struct pv_file *f, int fd)
{
	UNINITIALIZED char path[PV_PATH_MAX];
	int len = 0;

	if (fd >= 0 && (c->req.u.path.resolve & PV_WANT_PATH)) {
		len = path_of_fd(c, fd, path);
		if (len < 0)
			return len;
		memcpy(c->buf + sizeof(*f), path, len);
	}
	f->path_len = len;
	memcpy(c->buf, f, sizeof(*f));
	return 0;
}

/* May the caller open it, were it not for the mount's nodev? */
static bool may_open(int fd, u32 flags)
{
	static const int wanted[] = { [O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK, [O_ACCMODE] = R_OK | W_OK };

	return syscall(SYS_faccessat2, fd, "", wanted[flags & O_ACCMODE], AT_EMPTY_PATH | AT_EACCESS) == 0;
}

/*
 * The host refuses to open sockets, and devices on its nodev mounts, and FIFOs without a reader.
 * Anything else that fails the same way fails in the guest, too: what the caller has no right to among it.
 */
static int open_refused(struct call *c, int err)
{
	struct pv_file f;
	struct statx st;
	u64 nofollow = c->req.u.path.flags & O_NOFOLLOW;
	int fd = open_in(c->dirfd[0], c->path[0], O_PATH | nofollow, 0,
			 c->req.u.path.resolve & ~PV_WANT);

	if (fd < 0)
		return err;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_WANTED, &st) < 0)
		memset(&st, 0, sizeof(st));
	describe(&st, &f);
	f.mnt_flags = mount_of(c->srv, fd, st.stx_mnt_id).flags;
	if ((S_ISFIFO(st.stx_mode) || S_ISSOCK(st.stx_mode) || S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) &&
	    (err == -ENXIO || may_open(fd, c->req.u.path.flags)))
		err = answer(c, &f, fd);
	close(fd);
	return err;
}

#define PLAIN_FLAGS (O_ACCMODE | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | 0100000 /* O_LARGEFILE */)
#define DAY (24 * 3600)

/* Would a read set the time of the last access? By the rules of relatime. */
static bool read_is_told(const struct pv_file *f)
{
	struct timespec now;

	if (f->mnt_flags & (ST_NOATIME | ST_RDONLY))
		return false;
	if (!(f->mnt_flags & ST_RELATIME))
		return true;
	if (f->atime_sec < f->mtime_sec || (f->atime_sec == f->mtime_sec && f->atime_nsec <= f->mtime_nsec))
		return true;
	if (f->atime_sec < f->ctime_sec || (f->atime_sec == f->ctime_sec && f->atime_nsec <= f->ctime_nsec))
		return true;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec - f->atime_sec > DAY - 60;
}

/* All that a small file holds goes behind the path: the guest needs no descriptor to read it. */
static void bring(struct call *c, struct pv_file *f, int fd, bool plain)
{
	const struct pv_req_path *r = &c->req.u.path;
	ssize_t n;

	if (!(r->resolve & PV_WANT_DATA) || !plain || !S_ISREG(f->mode) || f->size > PV_DATA_MAX)
		return;
	if (!c->path[0][0] || (r->flags & ~(u32)PLAIN_FLAGS) || (r->flags & O_ACCMODE) != O_RDONLY)
		return;
	if (!(r->resolve & PV_WILL_READ) && read_is_told(f))
		return;
	n = pread(fd, c->buf + sizeof(*f) + f->path_len, PV_DATA_MAX + 1, 0);
	if (n < 0 || n > (ssize_t)PV_DATA_MAX)
		return;
	f->whole = 1;
	f->data_len = (u32)n;
	memcpy(c->buf, f, sizeof(*f));
}

static int keep(struct call *c, struct pv_file *f, int fd, bool plain)
{
	u32 flags = c->req.u.path.flags, id = c->req.u.path.arg;
	enum handle_kind kind = HANDLE_FILE;
	int ret;

	if (flags & O_PATH)
		kind = HANDLE_PATH;
	else if (S_ISDIR(f->mode))
		kind = HANDLE_DIR;
	f->opened = 1;
	f->created = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	ret = answer(c, f, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	bring(c, f, fd, plain);
	return call_install(c, id, kind, fd, kind == HANDLE_FILE && !f->whole);
}

static int opened(struct call *c, int fd)
{
	struct mount_flags_entry mnt;
	const struct pv_marker *m;
	struct pv_file f;
	struct statx st;
	int ret;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_WANTED, &st) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	m = marker_of(c, makedev(st.stx_dev_major, st.stx_dev_minor));
	describe(&st, &f);
	mnt = mount_of(c->srv, fd, st.stx_mnt_id);
	f.mnt_flags = mnt.flags;
	f.in_root = (st.stx_mask & STATX_MNT_ID) && st.stx_mnt_id == path_root_mount(c->srv);
	if (!m && (c->req.u.path.flags & O_PATH || S_ISREG(f.mode) || S_ISDIR(f.mode)))
		return keep(c, &f, fd, mnt.plain);
	ret = m ? cross_at(c, m) : answer(c, &f, fd);
	close(fd);
	return ret;
}

int path_open(struct call *c)
{
	u32 flags = c->req.u.path.flags;
	enum last last = LAST_FOLLOW;
	int fd = native_open(c);

	if (fd >= 0)
		return opened(c, fd);
	if (!c->path[0][0])
		return fd;
	if (fd == -ENXIO || fd == -EACCES)
		fd = open_refused(c, fd);
	if ((flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		last = LAST_NOFOLLOW;
	return fd < 0 ? cross_failed(c, 0, last, fd) : fd;
}
