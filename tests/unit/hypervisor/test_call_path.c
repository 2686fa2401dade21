/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path calls: their ordinary use, walks into guest-side mounts, and attempts to leave the
 * container.
 */
#include "fake_guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NONE                                                                                       \
	(struct pv_req_path)                                                                       \
	{                                                                                          \
		0                                                                                  \
	}
#define PATHREQ(...)                                                                               \
	(struct pv_req_path)                                                                       \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static struct pv_file file_of(struct guest *g)
{
	struct pv_file f;

	memcpy(&f, guest_buf(g, 0), sizeof(f));
	return f;
}

static struct statx statx_of(struct guest *g)
{
	struct statx st;

	memcpy(&st, guest_buf(g, 0), sizeof(st));
	return st;
}

static struct pv_cred *cred_in(struct guest *g)
{
	return (struct pv_cred *)guest_buf(g, 0);
}

static void opens_and_donates(void **state)
{
	struct guest *g = *state;
	char text[16] = "";
	s32 ret;
	int fd = open_file(g, 1, "/dir/file", O_RDONLY, 0, &ret);

	assert_int_equal(ret, 0);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 8);
	assert_string_equal(text, "contents");
	assert_int_equal(file_of(g).opened, 1);
	assert_int_equal(file_of(g).size, 8);
	assert_true(S_ISREG(file_of(g).mode));
	close(fd);
	release(g, 1);
}

/* With what is in the file, "contents", or not. */
static void brings(struct guest *g, const char *path, u32 flags, u32 resolve, bool data)
{
	s32 ret = path_call(g, PV_OPEN, path, PATHREQ(.arg = 1, .flags = flags, .resolve = resolve));
	struct pv_file f = file_of(g);
	struct pv_donation what;
	int fd;

	assert_int_equal(ret, 0);
	assert_int_equal(f.whole, data);
	if (data) {
		assert_int_equal(f.data_len, 8);
		assert_memory_equal(guest_buf(g, 0) + sizeof(f) + f.path_len, "contents", 8);
		assert_int_equal(guest_take(g, &what), -1);
		assert_int_equal(handle_call(g, PV_DONATE, (struct pv_req_handle){ .id = 1 }), 0);
	}
	fd = guest_take(g, &what);
	assert_true(fd >= 0);
	close(fd);
	release(g, 1);
}

static void accessed(const char *path, long seconds)
{
	struct timespec now, times[2];

	clock_gettime(CLOCK_REALTIME, &now);
	times[0] = times[1] = now;
	times[0].tv_sec += seconds;
	times[1].tv_sec -= 100000;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Of the tree's files, which lie on a tmpfs: one whose times say that a read is not told. */
static void brings_small_files(void **state)
{
	const u32 both = PV_WANT_DATA | PV_WILL_READ;
	struct guest *g = *state;
	struct statfs fs;
	struct stat st;

	assert_int_equal(statfs("/dir/file", &fs), 0);
	accessed("/dir/file", 30);
	brings(g, "/dir/file", O_RDONLY, 0, false);
	brings(g, "/dir/file", O_RDONLY, PV_WANT_DATA, !!(fs.f_flags & (ST_RELATIME | ST_NOATIME)));
	brings(g, "/dir/file", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, both, true);
	brings(g, "/dir/file", O_RDONLY, both | PV_WANT_PATH, true);
	brings(g, "/dir/file", O_RDWR, both, false);
	brings(g, "/dir/file", O_RDONLY | O_DIRECT, both, false);
	accessed("/dir/file", -50000); /* before the change of its times */
	assert_int_equal(stat("/dir/file", &st), 0);
	brings(g, "/dir/file", O_RDONLY, PV_WANT_DATA, !!(fs.f_flags & ST_NOATIME));
	brings(g, "/dir/file", O_RDONLY, both, true);
	assert_int_equal(truncate("/dir/file", PV_DATA_MAX + 1), 0);
	brings(g, "/dir/file", O_RDONLY, both, false);
}

static bool shows_procfs;

/* Of what was opened by name only: directories, for their attributes. */
static void donates_directories(void **state)
{
	struct guest *g = *state;
	const struct {
		const char *path;
		int flags, ret;
	} cases[] = { { "/dir", O_PATH | O_DIRECTORY, shows_procfs ? -EBADF : 0 },
		      { "/dir/file", O_PATH, -EBADF },
		      { "/dir/topasswd", O_PATH | O_NOFOLLOW, -EBADF },
		      { "/dir", O_RDONLY | O_DIRECTORY, -ENODEV } };
	struct pv_donation what;
	s32 ret;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pv_req_handle r = { .id = 1 };
		struct stat st;

		assert_int_equal(open_file(g, 1, cases[i].path, cases[i].flags, 0, &ret), -1);
		assert_int_equal(ret, 0);
		ret = handle_call(g, PV_DONATE, r);
		assert_int_equal(ret, cases[i].ret);
		if (ret == 0) {
			int fd = guest_take(g, &what);

			assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
			assert_int_equal(fstat(fd, &st), 0);
			close(fd);
		}
		release(g, 1);
	}
}

/* What others may change is told from what is the container's own. */
static void tells_the_root_mount(void **state)
{
	struct guest *g = *state;
	const struct {
		const char *path;
		u32 flags, in_root;
	} cases[] = { { "/dir/topasswd", O_PATH | O_NOFOLLOW, 1 }, { "/dir", O_PATH, 1 }, { "/", O_PATH, 1 },
		      { "/dir/file", O_RDONLY, 1 }, { "/hostproc", O_PATH, 0 }, { "/hostproc", O_DIRECTORY, 0 } };
	size_t n = sizeof(cases) / sizeof(*cases) - (shows_procfs ? 0 : 2);

	for (size_t i = 0; i < n; i++) {
		s32 ret;
		int fd = open_file(g, 1, cases[i].path, (int)cases[i].flags, 0, &ret);

		assert_int_equal(ret, 0);
		assert_int_equal(file_of(g).in_root, cases[i].in_root);
		if (fd >= 0)
			close(fd);
		release(g, 1);
	}
}

/* The answer says where the walk has not been. */
static void tells_of_absence(void **state)
{
	struct guest *g = *state;
	static const struct {
		const char *path;
		u32 flags, told;
	} cases[] = { { "/none", 0, PV_ABSENT },	{ "/dir/none", 0, PV_ABSENT },
		      { "/none/none", 0, PV_ABSENT },	{ "dir/../none", PV_AT_NOFOLLOW, PV_ABSENT } };
	s32 ret;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(path_call(g, PV_STAT, cases[i].path, PATHREQ(.flags = cases[i].flags)), -ENOENT);
		assert_int_equal(last_response(g).flags, cases[i].told);
	}
	assert_int_equal(path_call(g, PV_OPEN, "/dir/none", PATHREQ(.arg = 1)), -ENOENT);
	assert_int_equal(last_response(g).flags, PV_ABSENT);
	assert_int_equal(path_call(g, PV_STAT, "/dir/file", NONE), 0);
	assert_int_equal(last_response(g).flags, 0);
	ret = path_call(g, PV_ABSENT_NAMES, "/none\n/dir/file\n/dir/none\n/proc/none\n/dir/topasswd\n/dir/file/none", NONE);
	assert_int_equal(ret, 1 | 1 << 2);
	assert_int_equal(path_call(g, PV_ABSENT_NAMES, "none", PATHREQ(.flags = PV_AT_NOFOLLOW)), 1);
}

static void creates_with_mode(void **state)
{
	struct guest *g = *state;
	struct stat st;
	s32 ret;
	int fd = open_file(g, 1, "tmp/new", O_RDWR | O_CREAT | O_EXCL, 0640, &ret);

	assert_int_equal(ret, 0);
	assert_int_equal(file_of(g).created, 1);
	assert_int_equal(stat("/tmp/new", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	close(fd);
	release(g, 1);
	assert_int_equal(open_file(g, 1, "tmp/new", O_RDWR | O_CREAT | O_EXCL, 0640, &ret), -1);
	assert_int_equal(ret, -EEXIST);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/new", NONE), 0);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/new", NONE), -ENOENT);
}

static void directories_stay(void **state)
{
	struct guest *g = *state;
	s32 n, ret;

	assert_int_equal(open_file(g, 5, "/dir", O_RDONLY | O_DIRECTORY, 0, &ret), -1);
	assert_int_equal(ret, 0);
	assert_int_equal(file_of(g).opened, 1);
	assert_int_equal(path_call(g, PV_STAT, "file", PATHREQ(.dir = 5)), 0);
	n = handle_call(g, PV_GETDENTS, (struct pv_req_handle){ .id = 5, .len = 4096 });
	assert_true(n > 0);
	assert_int_equal(
		handle_call(g, PV_GETDENTS, (struct pv_req_handle){ .id = 5, .len = 4096 }), 0);
	assert_int_equal(handle_call(g, PV_SEEKDIR, (struct pv_req_handle){ .id = 5 }), 0);
	assert_int_equal(
		handle_call(g, PV_GETDENTS, (struct pv_req_handle){ .id = 5, .len = 4096 }), n);
	release(g, 5);
}

/* What PV_DIRSTAT answers of the entry `name`; false: nothing. */
static bool listed(struct guest *g, s32 len, const char *name, struct pv_dirstat *d, struct statx *st)
{
	struct pv_dirstat_head head;
	const u8 *buf = guest_buf(g, 0), *at = buf + sizeof(head);

	memcpy(&head, buf, sizeof(head));
	for (u32 i = 0; i < head.count; i++, at += d->size) {
		memcpy(d, at, sizeof(*d));
		assert_true(d->size % 8 == 0 && at + d->size <= buf + len);
		if (d->name_len != strlen(name) || memcmp(at + sizeof(*d), name, d->name_len))
			continue;
		if (d->known)
			memcpy(st, at + d->size - sizeof(*st), sizeof(*st));
		return true;
	}
	return false;
}

static void lists_attributes(void **state)
{
	struct guest *g = *state;
	struct pv_dirstat_head head;
	struct pv_dirstat d;
	struct statx st, one;
	u32 seen = 0;
	s32 n;

	n = path_call(g, PV_DIRSTAT, "/dir", PATHREQ(.mode = 100));
	assert_true(n > 0);
	memcpy(&head, guest_buf(g, 0), sizeof(head));
	assert_true(head.end == 1 && head.count >= 3);
	assert_true(listed(g, n, "file", &d, &st) && d.known);
	assert_true(listed(g, n, "topasswd", &d, &one) && d.known && S_ISLNK(one.stx_mode));
	assert_false(listed(g, n, ".", &d, &one));
	assert_int_equal(path_call(g, PV_STAT, "/dir/file", NONE), 0);
	one = statx_of(g);
	assert_memory_equal(&st, &one, sizeof(st));
	/* in portions */
	for (u32 count = head.count, i = 0; i <= count; i++) {
		n = path_call(g, PV_DIRSTAT, "/dir", PATHREQ(.mode = 1, .arg = i ? (u64)head.next : 0));
		assert_true(n >= (s32)sizeof(head));
		memcpy(&head, guest_buf(g, 0), sizeof(head));
		assert_true(head.count <= 1);
		seen += head.count;
		if (i == count)
			assert_true(head.end == 1 && seen == count);
	}
	/* what lies in another mount is to be asked for: an entry, and all of a directory */
	n = path_call(g, PV_DIRSTAT, "/", PATHREQ(.mode = 100));
	assert_true(n > 0 && listed(g, n, "dir", &d, &st) && d.known);
	assert_true(listed(g, n, "proc", &d, &st) && !d.known);
	assert_int_equal(path_call(g, PV_DIRSTAT, "/proc", PATHREQ(.mode = 100)), -EXDEV);
	assert_int_equal(path_call(g, PV_DIRSTAT, "/dir/file", PATHREQ(.mode = 100)), -ENOTDIR);
	assert_int_equal(path_call(g, PV_DIRSTAT, "/none", PATHREQ(.mode = 100)), -ENOENT);
	/* a directory that is open, and one whose access time is another's */
	assert_int_equal(open_file(g, 5, "/dir", O_RDONLY | O_DIRECTORY, 0, &n), -1);
	n = path_call(g, PV_DIRSTAT, "", PATHREQ(.dir = 5, .mode = 100, .flags = PV_AT_EMPTY));
	assert_true(n > 0 && listed(g, n, "file", &d, &st) && d.known);
	release(g, 5);
	*cred_in(g) = (struct pv_cred){ .fsuid = 1000, .fsgid = 1000 };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 1 }), 0);
	assert_int_equal(path_call(g, PV_DIRSTAT, "/dir", PATHREQ(.mode = 100, .cred = 1)), -EPERM);
	assert_int_equal(ctl_call(g, PV_CRED_FREE, (struct pv_req_ctl){ .arg = 1 }), 0);
}

/* PV_NAMESTAT for records of `len` bytes in the buffer. */
static s32 names_call(struct guest *g, u32 dir, const void *names, u64 len, u32 most)
{
	memcpy(guest_buf(g, 0), names, len);
	return path_call(g, PV_NAMESTAT, "", PATHREQ(.dir = dir, .mode = most, .arg = len, .flags = PV_AT_EMPTY));
}

static void attributes_of_names(void **state)
{
	struct guest *g = *state;
	struct pv_dirstat_progress *progress = (void *)(guest_buf(g, 0) + PV_DIRSTAT_ROOM);
	struct pv_dirstat_head head;
	struct pv_dirstat d;
	struct statx st, one;
	u8 names[4096] __attribute__((aligned(8)));
	struct dirent64 *first = (void *)names;
	s32 len, n, ret;

	assert_int_equal(open_file(g, 5, "/dir", O_RDONLY | O_DIRECTORY, 0, &ret), -1);
	len = handle_call(g, PV_GETDENTS, (struct pv_req_handle){ .id = 5, .len = sizeof(names) });
	assert_true(len > 0);
	memcpy(names, guest_buf(g, 0), (size_t)len);
	memset(progress, 0, sizeof(*progress));
	n = names_call(g, 5, names, (u64)len, 100);
	memcpy(&head, guest_buf(g, 0), sizeof(head));
	assert_true(n > 0 && head.count >= 3 && !head.end);
	assert_int_equal(progress->count, head.count);
	assert_int_equal(progress->time, head.time);
	assert_true(listed(g, n, "file", &d, &st) && d.known);
	assert_false(listed(g, n, ".", &d, &one));
	assert_int_equal(path_call(g, PV_STAT, "/dir/file", NONE), 0);
	one = statx_of(g);
	assert_memory_equal(&st, &one, sizeof(st));
	/* as many as are wanted, or none when it is enough */
	assert_true(names_call(g, 5, names, (u64)len, 1) > 0);
	memcpy(&head, guest_buf(g, 0), sizeof(head));
	assert_int_equal(head.count, 1);
	progress->stop = 1;
	assert_int_equal(names_call(g, 5, names, (u64)len, 100), sizeof(head));
	progress->stop = 0;
	/* no directory's records */
	assert_int_equal(names_call(g, 5, names, (u64)len - 1, 100), -EINVAL);
	first->d_name[0] = '\0';
	assert_int_equal(names_call(g, 5, names, (u64)len, 100), -EINVAL);
	strcpy(first->d_name, "a/b");
	assert_int_equal(names_call(g, 5, names, (u64)len, 100), -EINVAL);
	memset(first->d_name, 'x', first->d_reclen - offsetof(struct dirent64, d_name));
	assert_int_equal(names_call(g, 5, names, (u64)len, 100), -EINVAL);
	first->d_reclen = 0;
	assert_int_equal(names_call(g, 5, names, (u64)len, 100), -EINVAL);
	release(g, 5);
}

static void canonical_path_on_request(void **state)
{
	struct guest *g = *state;
	s32 ret =
		path_call(g, PV_OPEN, "/dir/topasswd", PATHREQ(.arg = 3, .resolve = PV_WANT_PATH));
	struct pv_file f = file_of(g);
	struct pv_donation what;

	assert_int_equal(ret, 0);
	assert_int_equal(f.path_len, 11);
	assert_memory_equal(guest_buf(g, 0) + sizeof(f), "/etc/passwd", 11);
	close(guest_take(g, &what));
	assert_int_equal(path_call(g, PV_PATHOF, "", PATHREQ(.dir = 3)), 11);
	assert_int_equal(path_call(g, PV_RESOLVE, "dir/sub/../topasswd", NONE), 11);
	assert_memory_equal(guest_buf(g, 0), "/etc/passwd", 11);
}

static s32 paths_of(struct guest *g, u32 first, u32 count, const u32 *more)
{
	struct pv_request r = { .cmd = PV_PATHS_OF };

	r.u.release.id = first;
	r.u.release.count = (u8)count;
	for (u32 i = 0; i < count && i < PV_RELEASE_MORE; i++)
		r.u.release.more[i] = more[i];
	return guest_call(g, 0, &r).ret;
}

static void paths_of_many(void **state)
{
	struct guest *g = *state;
	const u32 twelve[PV_RELEASE_MORE] = { 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2 };
	s32 ret;

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	close(open_file(g, 2, "/dir/gone", O_CREAT | O_RDWR, 0600, NULL));
	assert_int_equal(paths_of(g, 1, 0, NULL), 12);
	assert_memory_equal(guest_buf(g, 0), "/etc/passwd", 12);
	ret = paths_of(g, 1, PV_RELEASE_MORE, twelve);
	assert_int_equal(ret, 10 * 12 + 2 * 10);
	assert_memory_equal(guest_buf(g, 0), "/etc/passwd\0/dir/gone\0/etc/passwd", 34);
	assert_memory_equal(guest_buf(g, 0) + ret - 10, "/dir/gone", 10);
	assert_int_equal(path_call(g, PV_UNLINK, "/dir/gone", NONE), 0);
	assert_int_equal(paths_of(g, 2, 0, NULL), 20);
	assert_memory_equal(guest_buf(g, 0), "/dir/gone (deleted)", 20);
}

static void special_files_are_described(void **state)
{
	struct guest *g = *state;
	static const u32 modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			path_call(g, PV_OPEN, "/fifo", PATHREQ(.arg = 7, .flags = modes[i])), 0);
		assert_int_equal(file_of(g).opened, 0);
		assert_true(S_ISFIFO(file_of(g).mode));
	}
	*cred_in(g) = (struct pv_cred){ .fsuid = 1000, .fsgid = 1000 };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 1 }), 0);
	for (int i = 0; i < 3; i++) /* mode 0644 */
		assert_int_equal(path_call(g, PV_OPEN, "/fifo", PATHREQ(.cred = 1, .arg = 7, .flags = modes[i])),
				 modes[i] == O_RDONLY ? 0 : -EACCES);
	assert_int_equal(path_call(g, PV_MKNOD, "/sock", PATHREQ(.mode = S_IFSOCK | 0600)), 0);
	assert_int_equal(path_call(g, PV_OPEN, "/sock", PATHREQ(.arg = 7, .flags = O_RDWR)), 0);
	assert_int_equal(file_of(g).opened, 0);
	assert_int_equal(path_call(g, PV_UNLINK, "/sock", NONE), 0);
	assert_int_equal(
		path_call(g, PV_MKNOD, "/null", PATHREQ(.mode = S_IFCHR | 0600, .arg = 0x103)),
		-EPERM);
}

static void stat_and_times(void **state)
{
	struct guest *g = *state;
	s64 times[4] = { 1000, 5, 2000, 7 };

	assert_int_equal(path_call(g, PV_STAT, "/dir/topasswd", NONE), 0);
	assert_true(S_ISREG(statx_of(g).stx_mode));
	assert_int_equal(path_call(g, PV_STAT, "/dir/topasswd", PATHREQ(.flags = PV_AT_NOFOLLOW)),
			 0);
	assert_true(S_ISLNK(statx_of(g).stx_mode));
	memcpy(guest_buf(g, 0) + 9, times, sizeof(times));
	assert_int_equal(path_call(g, PV_UTIMES, "/dir/file", NONE), 0);
	assert_int_equal(path_call(g, PV_STAT, "/dir/file", NONE), 0);
	assert_int_equal(statx_of(g).stx_mtime.tv_sec, 2000);
	assert_int_equal(statx_of(g).stx_mtime.tv_nsec, 7);
	assert_int_equal(path_call(g, PV_STAT, "/dir/none", NONE), -ENOENT);
	assert_int_equal(path_call(g, PV_STAT, "/dir/file/x", NONE), -ENOTDIR);
	assert_int_equal(path_call(g, PV_STAT, "/loop1", NONE), -ELOOP);
	assert_int_equal(path_call(g, PV_STAT, "", NONE), -ENOENT);
}

static void names_are_made_and_removed(void **state)
{
	struct guest *g = *state;

	assert_int_equal(path_call(g, PV_MKDIR, "/tmp/d", PATHREQ(.mode = 0750)), 0);
	assert_int_equal(path2_call(g, PV_SYMLINK, "/tmp/d/l", "target", NONE), 0);
	assert_int_equal(path_call(g, PV_READLINK, "/tmp/d/l", NONE), 6);
	assert_memory_equal(guest_buf(g, 0), "target", 6);
	assert_int_equal(path_call(g, PV_READLINK, "/tmp/d", NONE), -EINVAL);
	assert_int_equal(path_call(g, PV_READLINK, "/tmp/d/no", NONE), -ENOENT);
	assert_int_equal(path2_call(g, PV_LINK, "/dir/file", "/tmp/d/hard", NONE), 0);
	assert_int_equal(path2_call(g, PV_RENAME, "/tmp/d/hard", "/tmp/d/moved", NONE), 0);
	assert_int_equal(path2_call(g, PV_RENAME, "/tmp/d/moved", "/tmp/d/l",
				    PATHREQ(.flags = 1 /* RENAME_NOREPLACE */)),
			 -EEXIST);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/d", PATHREQ(.flags = PV_AT_REMOVEDIR)),
			 -ENOTEMPTY);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/d/moved", NONE), 0);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/d/l", NONE), 0);
	assert_int_equal(path_call(g, PV_UNLINK, "/tmp/d", PATHREQ(.flags = PV_AT_REMOVEDIR)), 0);
}

static void attributes(void **state)
{
	struct guest *g = *state;
	struct statfs fs;

	put_file("/tmp/a", "12345");
	assert_int_equal(path_call(g, PV_CHMOD, "/tmp/a", PATHREQ(.mode = 0600)), 0);
	assert_int_equal(path_call(g, PV_CHOWN, "/tmp/a", PATHREQ(.arg = 12 | 34ULL << 32)), 0);
	assert_int_equal(path_call(g, PV_TRUNCATE, "/tmp/a", PATHREQ(.arg = 3)), 0);
	assert_int_equal(path_call(g, PV_STAT, "/tmp/a", NONE), 0);
	assert_int_equal(statx_of(g).stx_mode, S_IFREG | 0600);
	assert_int_equal(statx_of(g).stx_uid, 12);
	assert_int_equal(statx_of(g).stx_gid, 34);
	assert_int_equal(statx_of(g).stx_size, 3);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/a", PATHREQ(.mode = R_OK)), 0);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/a", PATHREQ(.mode = X_OK)), -EACCES);
	assert_int_equal(path_call(g, PV_STATFS, "/tmp/a", NONE), 0);
	memcpy(&fs, guest_buf(g, 0), sizeof(fs));
	assert_int_equal(fs.f_type, 0x01021994);
	assert_int_equal(path_call(g, PV_TRUNCATE, "/tmp", PATHREQ(.arg = 0)), -EISDIR);
}

static void operations_on_the_handle_itself(void **state)
{
	struct guest *g = *state;
	struct stat st;
	s32 ret;
	int fd = open_file(g, 1, "/tmp/b", O_RDWR | O_CREAT, 0600, &ret);

	close(fd);
	assert_int_equal(
		path_call(g, PV_CHMOD, "", PATHREQ(.dir = 1, .flags = PV_AT_EMPTY, .mode = 0644)),
		0);
	assert_int_equal(path_call(g, PV_CHOWN, "",
				   PATHREQ(.dir = 1, .flags = PV_AT_EMPTY, .arg = 7 | 8ULL << 32)),
			 0);
	assert_int_equal(
		path_call(g, PV_TRUNCATE, "", PATHREQ(.dir = 1, .flags = PV_AT_EMPTY, .arg = 99)),
		0);
	assert_int_equal(path_call(g, PV_STAT, "", PATHREQ(.dir = 1, .flags = PV_AT_EMPTY)), 0);
	assert_int_equal(stat("/tmp/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_size, 99);
	release(g, 1);
	open_file(g, 2, "/tmp/b", O_PATH, 0, &ret);
	assert_int_equal(ret, 0);
	assert_int_equal(
		path_call(g, PV_CHMOD, "", PATHREQ(.dir = 2, .flags = PV_AT_EMPTY, .mode = 0611)),
		0);
	assert_int_equal(stat("/tmp/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0611);
}

static void shared_inodes_stay_as_they_are(void **state)
{
	struct guest *g = *state;
	struct pv_req_path itself = PATHREQ(.dir = 1, .flags = PV_AT_EMPTY, .mode = 0777);

	assert_int_equal(handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = 1 }), 0);
	assert_int_equal(path_call(g, PV_STAT, "", itself), 0);
	assert_int_equal(path_call(g, PV_CHMOD, "", itself), -EPERM);
	assert_int_equal(path_call(g, PV_CHOWN, "", itself), -EPERM);
}

/* A file of the host as standard input: its data may be read, and that is all. */
static void what_is_lent_stays_as_it_is(void **state)
{
	struct guest *g = *state;
	struct pv_req_path as_path = PATHREQ(.dir = 1, .arg = 2, .flags = O_PATH);
	struct stat st;
	int pipe_fds[2];

	put_file("/tmp/lent", "lent");
	assert_int_equal(pv_server_add_handle(g->srv, 1, open("/tmp/lent", O_RDONLY | O_CLOEXEC)), 0);
	assert_int_equal(path_call(g, PV_OPEN, "", as_path), 0);
	for (u32 dir = 1; dir <= 2; dir++) {
		struct pv_req_path itself = PATHREQ(.dir = dir, .flags = PV_AT_EMPTY, .mode = 0777, .arg = 5);

		assert_int_equal(path_call(g, PV_CHMOD, "", itself), -EPERM);
		assert_int_equal(path_call(g, PV_CHOWN, "", itself), -EPERM);
		assert_int_equal(path_call(g, PV_UTIMES, "", itself), -EPERM);
		assert_int_equal(path_call(g, PV_TRUNCATE, "", itself), dir == 1 ? -EINVAL : -EPERM);
		assert_int_equal(path_call(g, PV_OPEN, "", PATHREQ(.dir = dir, .arg = 3, .flags = O_RDWR)),
				 -EACCES);
		assert_int_equal(path_call(g, PV_OPEN, "", PATHREQ(.dir = dir, .arg = 3, .flags = O_TRUNC)),
				 -EACCES);
	}
	assert_int_equal(path_call(g, PV_OPEN, "", PATHREQ(.dir = 1, .arg = 3)), 0);
	assert_int_equal(stat("/tmp/lent", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(st.st_uid, 0);
	/* entrypoints give their standard output to the user they change to */
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(pv_server_add_handle(g->srv, 5, pipe_fds[1]), 0);
	assert_int_equal(path_call(g, PV_CHMOD, "", PATHREQ(.dir = 5, .flags = PV_AT_EMPTY, .mode = 0666)), 0);
	close(pipe_fds[0]);
}

static void nameless_files_get_names(void **state)
{
	struct guest *g = *state;
	s32 ret;

	close(open_file(g, 1, "/tmp", O_TMPFILE | O_RDWR, 0600, &ret));
	assert_int_equal(ret, 0);
	assert_int_equal(
		path2_call(g, PV_LINK, "", "/tmp/named", PATHREQ(.dir = 1, .flags = PV_AT_EMPTY)),
		0);
	assert_int_equal(access("/tmp/named", F_OK), 0);
}

static void extended_attributes(void **state)
{
	struct guest *g = *state;

	put_file("/tmp/x", "");
	memcpy(guest_buf(g, 0) + 6 + 20, "capv", 4);
	assert_int_equal(path2_call(g, PV_GETXATTR, "/tmp/x", "trusted.t", NONE), -ENODATA);
	assert_int_equal(path2_call(g, PV_SETXATTR, "/tmp/x", "trusted.t", NONE), -EPERM);
	assert_int_equal(path2_call(g, PV_SETXATTR, "/tmp/x", "security.evil", NONE), -EPERM);
	assert_int_equal(path2_call(g, PV_GETXATTR, "/tmp/x", "odd.x", NONE), -EOPNOTSUPP);
	/* A file capability, as setcap(8) writes it: v2, cap_net_raw+ep. */
	memcpy(guest_buf(g, 0) + 6 + 19, "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_int_equal(
		path2_call(g, PV_SETXATTR, "/tmp/x", "security.capability", PATHREQ(.arg = 20)), 0);
	assert_int_equal(
		path2_call(g, PV_GETXATTR, "/tmp/x", "security.capability", PATHREQ(.arg = 100)),
		20);
	assert_int_equal(path_call(g, PV_LISTXATTR, "/tmp/x", PATHREQ(.arg = 100)), 20);
	assert_string_equal((char *)guest_buf(g, 0), "security.capability");
	assert_int_equal(path2_call(g, PV_REMOVEXATTR, "/tmp/x", "security.capability", NONE), 0);
	assert_int_equal(path_call(g, PV_LISTXATTR, "/tmp/x", NONE), 0);
}

static void inotify_works(void **state)
{
	struct guest *g = *state;
	struct inotify_event ev = { 0 };
	struct pv_donation what;
	char room[512];
	int fd;

	assert_int_equal(handle_call(g, PV_INOTIFY, (struct pv_req_handle){ .id = 9 }), 0);
	fd = guest_take(g, &what);
	assert_true(path_call(g, PV_INOTIFY_ADD, "/tmp", PATHREQ(.arg = 9, .mode = IN_CREATE)) > 0);
	put_file("/tmp/watched", "x");
	assert_true(read(fd, room, sizeof(room)) > (ssize_t)sizeof(ev));
	memcpy(&ev, room, sizeof(ev));
	assert_int_equal(ev.mask, IN_CREATE);
	assert_int_equal(
		handle_call(g, PV_INOTIFY_RM, (struct pv_req_handle){ .id = 9, .off = ev.wd }), 0);
	close(fd);
	assert_crosses(
		g, path_call(g, PV_INOTIFY_ADD, "/procself", PATHREQ(.arg = 9, .mode = IN_CREATE)),
		"/proc/self");
}

static void symlinks_cross_into_guest_mounts(void **state)
{
	struct guest *g = *state;

	assert_crosses(g, path_call(g, PV_STAT, "/procself", NONE), "/proc/self");
	assert_crosses(g, path_call(g, PV_STAT, "/procself/fd", NONE), "/proc/self/fd");
	assert_crosses(g, path_call(g, PV_STAT, "dir/toproc", NONE), "/proc");
	assert_crosses(g, path_call(g, PV_STAT, "dir/toproc/", NONE), "/proc");
	assert_crosses(g, path_call(g, PV_STAT, "dir/toproc/meminfo", NONE), "/proc/meminfo");
	assert_crosses(g, path_call(g, PV_STAT, "dir/../proc/1/../x", NONE), "/proc/1/../x");
	assert_int_equal(path_call(g, PV_STAT, "dir/toproc", PATHREQ(.flags = PV_AT_NOFOLLOW)), 0);
	assert_crosses(g, path_call(g, PV_STAT, "dir/toproc/", PATHREQ(.flags = PV_AT_NOFOLLOW)),
		       "/proc");
	assert_int_equal(path_call(g, PV_STAT, "dir/toproc/../etc/passwd", NONE), 0);
	assert_int_equal(path_call(g, PV_STAT, "dir/toproc/../etc/none", NONE), -ENOENT);
	assert_crosses(g, path_call(g, PV_READLINK, "dir/toproc/self", NONE), "/proc/self");
	assert_crosses(g, path_call(g, PV_ACCESS, "dir/toproc", PATHREQ(.mode = R_OK)), "/proc");
	assert_crosses(g, path_call(g, PV_STATFS, "dir/toproc", NONE), "/proc");
	assert_crosses(g, path_call(g, PV_CHMOD, "dir/toproc", PATHREQ(.mode = 0700)), "/proc");
	assert_crosses(g, path_call(g, PV_RESOLVE, "etc/run", NONE), "/run/guest");
	assert_crosses(g, path2_call(g, PV_GETXATTR, "dir/toproc", "user.x", NONE), "/proc");
	memset(guest_buf(g, 0) + 7, 0, 32);
	assert_crosses(g, path_call(g, PV_UTIMES, "etc/run", NONE), "/run/guest");
	assert_crosses(g, path_call(g, PV_CHOWN, "etc/run", NONE), "/run/guest");
	assert_crosses(g, path_call(g, PV_TRUNCATE, "etc/run/f", NONE), "/run/guest/f");
}

static void opening_and_creating_crosses(void **state)
{
	struct guest *g = *state;
	s32 ret;

	open_file(g, 1, "/stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666, &ret);
	assert_crosses(g, ret, "/proc/self/fd/1");
	open_file(g, 1, "/stdout", O_WRONLY | O_CREAT | O_EXCL, 0666, &ret);
	assert_int_equal(ret, -EEXIST);
	open_file(g, 1, "etc/run", O_RDONLY | O_DIRECTORY, 0, &ret);
	assert_crosses(g, ret, "/run/guest");
	open_file(g, 1, "etc/run/f", O_RDWR | O_CREAT, 0666, &ret);
	assert_crosses(g, ret, "/run/guest/f");
	open_file(g, 1, "/procself", O_RDONLY | O_NOFOLLOW, 0, &ret);
	assert_int_equal(ret, -ELOOP);
	assert_crosses(g, path_call(g, PV_MKDIR, "etc/run/d", PATHREQ(.mode = 0755)),
		       "/run/guest/d");
	assert_crosses(g, path_call(g, PV_MKDIR, "etc/run/d/", PATHREQ(.mode = 0755)),
		       "/run/guest/d/");
	assert_int_equal(path_call(g, PV_MKDIR, "etc/run", PATHREQ(.mode = 0755)), -EEXIST);
	assert_crosses(g, path_call(g, PV_UNLINK, "etc/run/d", NONE), "/run/guest/d");
	assert_crosses(g, path_call(g, PV_MKNOD, "etc/run/s", PATHREQ(.mode = S_IFSOCK)),
		       "/run/guest/s");
	assert_crosses(g, path2_call(g, PV_SYMLINK, "etc/run/l", "x", NONE), "/run/guest/l");
	assert_int_equal(path2_call(g, PV_RENAME, "dir/file", "etc/run/x", NONE), -EXDEV);
	assert_crosses(g, path2_call(g, PV_RENAME, "etc/run/a", "etc/run/b", NONE), "/run/guest/a");
	assert_int_equal(last_response(g).flags, 0);
	assert_int_equal(path2_call(g, PV_RENAME, "dir/none", "dir/x", NONE), -ENOENT);
	assert_int_equal(path_call(g, PV_UNLINK, "/proc", PATHREQ(.flags = PV_AT_REMOVEDIR)),
			 -EBUSY);
}

static void second_paths_cross(void **state)
{
	struct guest *g = *state;

	assert_crosses(g, path2_call(g, PV_LINK, "dir/file", "etc/run/d/../d/e/x", NONE),
		       "/run/guest/d/../d/e/x");
	assert_int_equal(last_response(g).flags, PV_CROSSED_PATH2);
}

static void nothing_leads_out(void **state)
{
	struct guest *g = *state;
	struct stat root;
	s32 ret;

	assert_int_equal(stat("/", &root), 0);
	assert_int_equal(path_call(g, PV_STAT, "/../../..", NONE), 0);
	assert_int_equal(statx_of(g).stx_ino, root.st_ino);
	assert_int_equal(path_call(g, PV_STAT, "../../../etc/passwd", NONE), 0);
	assert_int_equal(path_call(g, PV_STAT, "dir/escape", NONE), 0);
	assert_int_equal(statx_of(g).stx_size, 11);
	open_file(g, 4, "/dir/sub", O_PATH, 0, &ret);
	assert_int_equal(path_call(g, PV_STAT, "../../../..", PATHREQ(.dir = 4)), 0);
	assert_int_equal(statx_of(g).stx_ino, root.st_ino);
}

static void chroot_is_native(void **state)
{
	struct guest *g = *state;
	s32 ret;

	open_file(g, 4, "/dir", O_PATH, 0, &ret);
	assert_int_equal(ret, 0);
	assert_int_equal(path_call(g, PV_STAT, "/file", PATHREQ(.root = 4)), 0);
	assert_int_equal(path_call(g, PV_STAT, "/etc/passwd", PATHREQ(.root = 4)), -ENOENT);
	assert_int_equal(path_call(g, PV_STAT, "/../../file", PATHREQ(.root = 4, .dir = 4)), 0);
	assert_int_equal(path_call(g, PV_STAT, "topasswd", PATHREQ(.root = 4, .dir = 4)), -ENOENT);
	assert_int_equal(path_call(g, PV_STAT, "/etc/passwd", NONE), 0);
	assert_int_equal(path_call(g, PV_RESOLVE, "/file", PATHREQ(.root = 4)), 9);
	assert_memory_equal(guest_buf(g, 0), "/dir/file", 9);
}

static void *mover(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop) {
		rename("/dir/sub/deep", "/tmp/deep");
		rename("/tmp/deep", "/dir/sub/deep");
		/* A directory that is a link into the guest half of the time. */
		rename("/tmp/swap", "/tmp/swap2");
		rename("/tmp/link", "/tmp/swap");
		rename("/tmp/swap", "/tmp/link");
		rename("/tmp/swap2", "/tmp/swap");
	}
	return NULL;
}

/*
 * While directories move, a walk out of one must end in the container: the root's inode is as high
 * as it gets.
 */
static void renames_do_not_help(void **state)
{
	struct guest *g = *state;
	volatile bool stop = false;
	struct stat root;
	pthread_t t;
	s32 ret;

	assert_int_equal(stat("/", &root), 0);
	mkdir("/dir/sub/deep", 0755);
	mkdir("/tmp/swap", 0755);
	symlink("../proc", "/tmp/link");
	open_file(g, 4, "/dir/sub/deep", O_PATH, 0, &ret);
	pthread_create(&t, NULL, mover, (void *)&stop);
	for (int i = 0; i < 20000; i++) {
		ret = path_call(g, PV_STAT, "../../../../../..", PATHREQ(.dir = 4));
		assert_int_equal(ret, 0);
		assert_int_equal(statx_of(g).stx_ino, root.st_ino);
		ret = path_call(g, PV_STAT, "/tmp/swap/x", NONE);
		if (ret == PV_CROSS)
			assert_crosses(g, ret, "/proc/x");
		else
			assert_int_equal(ret, -ENOENT);
	}
	stop = true;
	pthread_join(t, NULL);
	assert_string_equal(g->reason, "");
}

/* Only in a container which shows the host's /proc (see main). */
static void magic_links_are_refused(void **state)
{
	struct guest *g = *state;
	char link[64];
	s32 ret;

	snprintf(link, sizeof(link), "/hostproc/self/root");
	open_file(g, 1, "/hostproc/self/root/etc/passwd", O_RDONLY, 0, &ret);
	assert_int_equal(ret, -ELOOP);
	assert_int_equal(path_call(g, PV_STAT, link, NONE), -ELOOP);
	assert_int_equal(path_call(g, PV_STAT, link, PATHREQ(.flags = PV_AT_NOFOLLOW)), 0);
	assert_int_equal(path_call(g, PV_READLINK, link, NONE), 1);
	assert_int_equal(path_call(g, PV_MKDIR, "/hostproc/self/root/tmp/out", NONE), -ELOOP);
	assert_int_equal(path2_call(g, PV_LINK, "/hostproc/self/exe", "/tmp/exe",
				    PATHREQ(.flags = PV_AT_FOLLOW)),
			 -ELOOP);
	assert_int_equal(path2_call(g, PV_RENAME, "/dir/file", "/hostproc/self/cwd/file", NONE),
			 -ELOOP);
	assert_int_equal(path_call(g, PV_CHMOD, link, PATHREQ(.mode = 0777)), -ELOOP);
	assert_int_equal(path_call(g, PV_UTIMES, link, NONE), -ELOOP);
	assert_int_equal(path_call(g, PV_TRUNCATE, "/hostproc/self/fd/0", NONE), -ELOOP);
	assert_int_equal(path_call(g, PV_STATFS, link, NONE), -ELOOP);
	assert_int_equal(path_call(g, PV_ACCESS, link, NONE), -ELOOP);
	assert_int_equal(path2_call(g, PV_GETXATTR, link, "user.x", NONE), -ELOOP);
}

static int with_procfs(void **state)
{
	container_setup(state);
	if (mkdir("/hostproc", 0755) < 0 || mount("proc", "/hostproc", "proc", 0, NULL) < 0)
		return -1;
	return 0;
}

static void credentials_decide(void **state)
{
	struct guest *g = *state;
	s32 ret;

	put_file("/tmp/secret", "x");
	chmod("/tmp/secret", 0600);
	*cred_in(g) =
		(struct pv_cred){ .fsuid = 1000, .fsgid = 1000, .ngroups = 1, .groups = { 77 } };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 1 }), 0);
	*cred_in(g) = (struct pv_cred){ .fsuid = 1000, .fsgid = 1000, .caps = 1ULL << 1 };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 2 }), 0);
	*cred_in(g) = (struct pv_cred){ .fsuid = 0, .fsgid = 0, .caps = 0 };
	assert_int_equal(ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 3 }), 0);

	ret = path_call(g, PV_OPEN, "/tmp/secret", PATHREQ(.arg = 1, .cred = 1));
	assert_int_equal(ret, -EACCES);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/secret", PATHREQ(.mode = R_OK, .cred = 1)),
			 -EACCES);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/secret", PATHREQ(.mode = R_OK, .cred = 2)),
			 0);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/secret", PATHREQ(.mode = R_OK)), 0);
	assert_int_equal(path_call(g, PV_MKDIR, "/tmp/mine", PATHREQ(.mode = 0755, .cred = 1)), 0);
	assert_int_equal(path_call(g, PV_STAT, "/tmp/mine", NONE), 0);
	assert_int_equal(statx_of(g).stx_uid, 1000);
	/* A group membership opens what the group may read. */
	chown("/tmp/secret", 0, 77);
	chmod("/tmp/secret", 0640);
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/secret", PATHREQ(.mode = R_OK, .cred = 1)),
			 0);
	/* Root without capabilities is an ordinary user. */
	assert_int_equal(path_call(g, PV_ACCESS, "/tmp/mine", PATHREQ(.mode = W_OK, .cred = 3)),
			 -EACCES);
	assert_int_equal(path_call(g, PV_CHOWN, "/tmp/mine", PATHREQ(.cred = 3)), -EPERM);
	/* And operations by /proc name work for everybody. */
	assert_int_equal(path_call(g, PV_CHMOD, "/tmp/mine",
				   PATHREQ(.cred = 1, .mode = 0700, .flags = PV_AT_NOFOLLOW)),
			 0);
	assert_int_equal(path_call(g, PV_LISTXATTR, "/tmp/mine", PATHREQ(.cred = 1)), 0);
	assert_int_equal(ctl_call(g, PV_CRED_FREE, (struct pv_req_ctl){ .arg = 1 }), 0);
	assert_int_equal(rmdir("/tmp/mine"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

/* With an argument: the same in a container that shows a procfs, plus one. */
int main(int argc, char **argv)
{
	const struct CMUnitTest magic[] = { T(magic_links_are_refused) };
	const struct CMUnitTest tests[] = {
		T(opens_and_donates),
		T(brings_small_files),
		T(donates_directories),
		T(tells_the_root_mount),
		T(tells_of_absence),
		T(creates_with_mode),
		T(directories_stay),
		T(lists_attributes),
		T(attributes_of_names),
		T(canonical_path_on_request),
		T(paths_of_many),
		T(special_files_are_described),
		T(stat_and_times),
		T(names_are_made_and_removed),
		T(attributes),
		T(operations_on_the_handle_itself),
		T(shared_inodes_stay_as_they_are),
		T(what_is_lent_stays_as_it_is),
		T(nameless_files_get_names),
		T(extended_attributes),
		T(inotify_works),
		T(symlinks_cross_into_guest_mounts),
		T(opening_and_creating_crosses),
		T(second_paths_cross),
		T(nothing_leads_out),
		T(chroot_is_native),
		T(renames_do_not_help),
		T(credentials_decide),
	};

	shows_procfs = argc > 1;
	if (shows_procfs)
		return cmocka_run_group_tests(tests, with_procfs, NULL) ||
		       cmocka_run_group_tests(magic, NULL, NULL);
	return cmocka_run_group_tests(tests, container_setup, NULL);
}
