/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on open handles. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/event.h"
#include "call/file.h"
#include "call/server_impl.h"

#define COPY_LITTLE 0x40000u
#define COPY_MAX 0x10000000u /* bytes a call, so that one does not hold its thread for minutes */

/*
 * Most calls take any kind of handle, where the host kernel itself has an answer for the wrong
 * ones (ENOTDIR, EINVAL, ...): applications try such things, and a guest kernel may pass them on.
 */
static int decode_one(struct call *c, u32 kinds)
{
	int ret = decode_handle(c, "id", c->req.u.handle.id, kinds, &c->h);

	return ret < 0 ? ret : decode_cred(c, c->req.u.handle.cred);
}

static int decode_dir(struct call *c)
{
	int ret = decode_one(c, KINDS_ANY);

	return ret < 0 ? ret : decode_len(c, "len", c->req.u.handle.len);
}

static int decode_any(struct call *c)
{
	return decode_one(c, KINDS_ANY);
}

static int decode_data(struct call *c)
{
	return decode_one(c, KINDS_NO_NETLINK);
}

/*
 * Most directories fit: one more look, while we are here, saves the guest a call that finds the
 * end.
 */
static int getdents(struct call *c)
{
	size_t room = c->req.u.handle.len, have = 0;
	long n;

	do {
		n = syscall(SYS_getdents64, c->h->fd, c->buf + have, (unsigned int)(room - have));
		if (n < 0 && !have)
			return -errno;
		if (n > 0)
			have += n;
	} while (n > 0 && room - have > sizeof(struct dirent64));
	c->rsp.val = n == 0;
	return (int)have;
}

static int seekdir_(struct call *c)
{
	return lseek(c->h->fd, (off_t)c->req.u.handle.off, SEEK_SET) < 0 ? -errno : 0;
}

static int fsync_(struct call *c)
{
	int ret;

	if (c->req.u.handle.flags & 2)
		ret = syncfs(c->h->fd);
	else if (c->req.u.handle.flags & 1)
		ret = fdatasync(c->h->fd);
	else
		ret = fsync(c->h->fd);
	return ret < 0 ? -errno : 0;
}

static int fallocate_(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;

	return fallocate(c->h->fd, (int)r->flags, (off_t)r->off, (off_t)r->len) < 0 ? -errno : 0;
}

static int flock_(struct call *c)
{
	int op = c->req.u.handle.flags & (LOCK_SH | LOCK_EX | LOCK_UN);

	if (flock(c->h->fd, op | LOCK_NB) < 0)
		return -errno;
	c->h->flocked = op != LOCK_UN;
	return 0;
}

static int lock_get(struct call *c, struct flock *l)
{
	struct pv_lock found = { .type = F_UNLCK };

	if (fcntl(c->h->fd, F_OFD_GETLK, l) < 0)
		return -errno;
	if (l->l_type != F_UNLCK)
		found = (struct pv_lock){ l->l_type, 0, l->l_start, l->l_len };
	memcpy(c->buf, &found, sizeof(found));
	return 0;
}

static int lock_(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	struct flock l = { .l_type = r->flags & ~(u32)PV_LOCK_GET,
			   .l_whence = SEEK_SET,
			   .l_start = (off_t)r->off,
			   .l_len = (off_t)r->len };

	if (l.l_type != F_RDLCK && l.l_type != F_WRLCK && l.l_type != F_UNLCK)
		return -EINVAL;
	if (r->flags & PV_LOCK_GET)
		return lock_get(c, &l);
	if (fcntl(c->h->fd, F_OFD_SETLK, &l) < 0)
		return -errno;
	if (l.l_type != F_UNLCK)
		c->h->locked = true;
	return 0;
}

void file_drop_locks(struct pv_handle *h)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (h->flocked)
		flock(h->fd, LOCK_UN);
	if (h->locked)
		fcntl(h->fd, F_OFD_SETLK, &all);
}

#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static int setfl(struct call *c)
{
	int flags = fcntl(c->h->fd, F_GETFL);
	int want = c->req.u.handle.flags & SETTABLE;

	/* Sockets are always non-blocking here (pvcall.h); so are the objects that we made. */
	if (c->h->kind != HANDLE_FILE && c->h->kind != HANDLE_STREAM)
		want = (want & ~O_NONBLOCK) | (flags & O_NONBLOCK);
	/* Stdio is shared with the outside world: its mode is not the guest's to change. */
	if (c->h->foreign)
		return 0;
	return fcntl(c->h->fd, F_SETFL, (flags & ~SETTABLE) | want) < 0 ? -errno : 0;
}

/* Is the copy a matter of microseconds? A worker costs more than that. */
static bool copies_little(struct call *c)
{
	struct stat st;

	if (c->h->kind != HANDLE_FILE || c->h2->kind != HANDLE_FILE)
		return false;
	return c->req.u.handle.len <= COPY_LITTLE ||
	       (fstat(c->h->fd, &st) == 0 && st.st_size <= (off_t)COPY_LITTLE);
}

static int copy_decode(struct call *c)
{
	int ret = decode_one(c, KINDS_NO_NETLINK);

	if (ret == 0)
		ret = decode_handle(c, "id2", c->req.u.handle.id2, KINDS_NO_NETLINK, &c->h2);
	if (ret == 0)
		c->blocks = !copies_little(c);
	return ret;
}

static int copy_range(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	off_t in = (off_t)r->off, out = (off_t)r->off2;
	size_t len = r->len < COPY_MAX ? r->len : COPY_MAX;
	ssize_t n;

	if (r->flags & 1)
		n = sendfile(c->h2->fd, c->h->fd, in == -1 ? NULL : &in, len);
	else
		n = copy_file_range(c->h->fd, in == -1 ? NULL : &in, c->h2->fd,
				    out == -1 ? NULL : &out, len, 0);
	return n < 0 ? -errno : (int)n;
}

/* Only streams and sockets can block, and may: reading a file counts as prompt. */
static int decode_transfer(struct call *c)
{
	int ret = decode_data(c);

	if (ret < 0)
		return ret;
	c->blocks = c->h->kind == HANDLE_STREAM || c->h->kind == HANDLE_SOCKET;
	return decode_len(c, "len", c->req.u.handle.len);
}

static bool is_ready(struct call *c, short events)
{
	struct pollfd p = { .fd = c->h->fd, .events = events };

	return !c->blocks || poll(&p, 1, 0) != 0;
}

static int read_(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	ssize_t n;

	if (!is_ready(c, POLLIN))
		return -EAGAIN;
	if ((s64)r->off == -1)
		n = read(c->h->fd, c->buf, r->len);
	else
		n = pread(c->h->fd, c->buf, r->len, (off_t)r->off);
	return n < 0 ? -errno : (int)n;
}

static int write_(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	ssize_t n;

	if (!is_ready(c, POLLOUT))
		return -EAGAIN;
	if ((s64)r->off == -1)
		n = write(c->h->fd, c->buf, r->len);
	else
		n = pwrite(c->h->fd, c->buf, r->len, (off_t)r->off);
	return n < 0 ? -errno : (int)n;
}

static int fadvise(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;

	return -posix_fadvise(c->h->fd, (off_t)r->off, (off_t)r->len, (int)r->flags);
}

bool plain_fs(const struct statfs *fs)
{
	switch ((u32)fs->f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/*
 * May a directory's times tell the guest kernel that names in it lead where they did? Not if the host may yet mount
 * something there, nor where others can change a file system behind the host's back.
 */
static bool times_tell(struct call *c)
{
	struct statfs fs;

	return !c->srv->magic && !c->h->foreign && fstatfs(c->h->fd, &fs) == 0 && plain_fs(&fs);
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * Names and netlink sockets never leave the hypervisor, nor do directories that can be read. Of one opened with O_PATH
 * the guest gets the attributes, by fstat, and nothing else. The errors are mmap's.
 */
static int donate_decode(struct call *c)
{
	int ret = decode_any(c);

	if (ret == 0 && c->h->kind == HANDLE_PATH && !(is_directory(c->h->fd) && times_tell(c)))
		ret = -EBADF;
	if (ret == 0 && c->h->is_stream && c->srv->cfg.data_rings)
		ret = -EOPNOTSUPP;
	if (ret == 0 && (c->h->kind == HANDLE_DIR || c->h->kind == HANDLE_NETLINK))
		ret = -ENODEV;
	return ret;
}

static int donate(struct call *c)
{
	return call_donate(c, c->req.u.handle.id, c->h->fd);
}

#define F(cmd) [PV_##cmd - PV_GETDENTS]
const struct pv_command file_commands[] = {
	F(GETDENTS) = { "getdents", decode_dir, getdents, 0 },
	F(SEEKDIR) = { "seekdir", decode_dir, seekdir_, 0 },
	F(FSYNC) = { "fsync", decode_any, fsync_, CALL_BLOCKS },
	F(FALLOCATE) = { "fallocate", decode_data, fallocate_, CALL_BLOCKS },
	F(FLOCK) = { "flock", decode_any, flock_, 0 },
	F(LOCK) = { "lock", decode_any, lock_, 0 },
	F(SETFL) = { "setfl", decode_any, setfl, 0 },
	F(COPY_RANGE) = { "copy_range", copy_decode, copy_range, 0 },
	F(READ) = { "read", decode_transfer, read_, 0 },
	F(WRITE) = { "write", decode_transfer, write_, 0 },
	F(IOCTL) = { "ioctl", ioctl_decode, ioctl_perform, 0 },
	F(FADVISE) = { "fadvise", decode_data, fadvise, 0 },
	F(DONATE) = { "donate", donate_decode, donate, 0 },
	F(INOTIFY_RM) = { "inotify_rm", inotify_rm_decode, inotify_rm, 0 },
	F(TAKE_FD) = { "take_fd", take_fd_decode, take_fd, 0 },
};
