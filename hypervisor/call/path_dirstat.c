/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PV_DIRSTAT and PV_NAMESTAT: a directory's entries with their attributes, for guests that ask for one after the other. Only in
 * the container's own root mount: what others may change at any time is asked for when it is wanted. The guest may take what is
 * there while we go on.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
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
	struct pv_dirstat_progress *progress;
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
	if (l->used + d.size > PV_DIRSTAT_ROOM)
		return false;
	memcpy(to, &d, sizeof(d));
	memcpy(to + sizeof(d), name, d.name_len);
	if (d.known)
		memcpy(to + d.size - sizeof(st), &st, sizeof(st));
	l->used += d.size;
	l->head.count++;
	__atomic_store_n(&l->progress->count, l->head.count, __ATOMIC_RELEASE);
	return true;
}

/* Only a wish: no harm is done by whatever the guest writes there. */
static bool is_enough(const struct listing *l)
{
	return l->head.count >= l->max || __atomic_load_n(&l->progress->stop, __ATOMIC_RELAXED);
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

		if (!is_dot(d->d_name) && (is_enough(l) || !add(l, d->d_name)))
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

static struct listing begin(struct call *c)
{
	struct listing l = {
		.c = c,
		.mnt_id = path_root_mount(c->srv),
		.max = c->req.u.path.mode,
		.progress = (void *)(c->buf + PV_DIRSTAT_ROOM),
		.used = sizeof(l.head),
		.head.time = now(),
	};

	l.progress->time = l.head.time;
	return l;
}

int path_dirstat(struct call *c)
{
	off_t from = (off_t)c->req.u.path.arg;
	struct listing l = begin(c);
	struct statx st;
	int ret;

	l.head.next = from;
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

int path_namestat_decode(struct call *c)
{
	int ret = decode_path(c);

	if (ret == 0 && c->req.u.path.arg > PV_NAMESTAT_MAX)
		ret = violation(c, "arg", "more than PV_NAMESTAT_MAX bytes of names");
	return ret;
}

static bool is_name(const char *name, size_t room)
{
	const char *end = memchr(name, '\0', room);

	return end && end != name && !memchr(name, '/', (size_t)(end - name));
}

/* Records as the host would have made them? */
static bool well_formed(const char *names, size_t len)
{
	const size_t head = offsetof(struct dirent64, d_name);

	for (size_t at = 0; at < len;) {
		const struct dirent64 *d = (const void *)(names + at);

		if (len - at <= head || d->d_reclen <= head || d->d_reclen % 8 || d->d_reclen > len - at)
			return false;
		if (!is_name(d->d_name, d->d_reclen - head))
			return false;
		at += d->d_reclen;
	}
	return true;
}

int path_namestat(struct call *c)
{
	UNINITIALIZED char names[PV_NAMESTAT_MAX] __attribute__((aligned(8)));
	size_t len = c->req.u.path.arg;
	struct listing l;
	struct statx st;

	fetch(names, c->buf, len);
	if (c->path[0][0] || !well_formed(names, len))
		return -EINVAL;
	l = begin(c);
	l.fd = c->dirfd[0];
	if (!l.mnt_id || !in_mount(l.fd, "", l.mnt_id, &st))
		return -EXDEV;
	add_names(&l, names, (long)len);
	memcpy(c->buf, &l.head, sizeof(l.head));
	return (int)l.used;
}
