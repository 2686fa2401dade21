/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PV_DIRSTAT: a directory's entries with their attributes, for guests that ask for one after the other. Only in the
 * container's own root mount: what others may change at any time is asked for when it is wanted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call/path.h"
#include "call/server_impl.h"

#define NAMES_ROOM 16384
#define WANTED (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

_Static_assert(sizeof(struct statx) == PV_STATX_SIZE, "abi/pvcall.h");

struct listing {
	struct call *c;
	int fd;
	u64 mnt_id;
	u32 max;
	size_t used; /* of the buffer */
	struct pv_dirstat_head head;
};

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static bool in_mount(int fd, const char *name, u64 mnt_id, struct statx *st)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	return statx(fd, name, flags, WANTED, st) == 0 && (st->stx_mask & STATX_MNT_ID) && st->stx_mnt_id == mnt_id;
}

/* False: no room. */
static bool add(struct listing *l, const char *name)
{
	struct pv_dirstat d = { .name_len = (u16)strlen(name) };
	struct statx st;
	u8 *to = l->c->buf + l->used;

	d.known = in_mount(l->fd, name, l->mnt_id, &st);
	d.size = (u16)(((sizeof(d) + d.name_len + 7) & ~7UL) + (d.known ? sizeof(st) : 0));
	if (l->used + d.size > RING_BUF_SIZE)
		return false;
	memcpy(to, &d, sizeof(d));
	memcpy(to + sizeof(d), name, d.name_len);
	if (d.known)
		memcpy(to + d.size - sizeof(st), &st, sizeof(st));
	l->used += d.size;
	l->head.count++;
	return true;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* 0: go on; 1: enough. */
static int add_names(struct listing *l, const char *names, long len)
{
	for (long at = 0; at < len;) {
		const struct dirent64 *d = (const void *)(names + at);

		if (!is_dot(d->d_name) && (l->head.count >= l->max || !add(l, d->d_name)))
			return 1;
		l->head.next = d->d_off;
		at += d->d_reclen;
	}
	return 0;
}

static int list(struct listing *l)
{
	UNINITIALIZED char names[NAMES_ROOM] __attribute__((aligned(8)));
	long n;

	do {
		n = syscall(SYS_getdents64, l->fd, names, sizeof(names));
		if (n < 0)
			return -errno;
		if (n == 0)
			l->head.end = 1;
	} while (n > 0 && !add_names(l, names, n));
	memcpy(l->c->buf, &l->head, sizeof(l->head));
	return (int)l->used;
}

/* Whoever only asks for attributes leaves no access time: who may not look without one does not look. */
static int open_listing(struct call *c)
{
	const char *path = c->path[0][0] ? c->path[0] : ".";

	return open_in(c->dirfd[0], path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_NONBLOCK, 0, 0);
}

int path_dirstat(struct call *c)
{
	struct listing l = { .c = c, .max = c->req.u.path.mode, .used = sizeof(l.head) };
	off_t from = (off_t)c->req.u.path.arg;
	struct statx st;
	int ret;

	l.mnt_id = path_root_mount(c->srv);
	l.head.next = from;
	l.head.time = now();
	l.fd = open_listing(c);
	if (l.fd < 0)
		return l.fd;
	if (!l.mnt_id || !in_mount(l.fd, "", l.mnt_id, &st))
		ret = -EXDEV;
	else if (from && lseek(l.fd, from, SEEK_SET) < 0)
		ret = -errno;
	else
		ret = list(&l);
	close(l.fd);
	return ret;
}
