/* SPDX-License-Identifier: Apache-2.0 */
/* Names and files: the host's, those of guest file systems, and walks that change sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/stat.h>

#include "harness.h"
#include "leases.h"

#define CWD ((u64)(s64)AT_FDCWD)
#define IS_FILE(st) (((st).st_mode & 0170000) == 0100000)
#define IS_DEVICE(st) (((st).st_mode & 0170000) == 0020000)

static long open_at(const char *path, u32 flags)
{
	return sc(__NR_openat, CWD, ustr(path), flags, 0644);
}

static long stat_of(const char *path, struct stat *st)
{
	uaddr_t to = ualloc(sizeof(*st));
	long r = sc(__NR_stat, ustr(path), to);

	if (!r)
		peek(to, st, sizeof(*st));
	return r;
}

static void write_text(const char *path, const char *text)
{
	long fd = open_at(path, O_CREAT | O_TRUNC | O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_write, fd, ustr(text), strlen(text)), strlen(text));
	CHECK_EQ(sc(__NR_close, fd), 0);
}

static bool has_text(const char *path, const char *text)
{
	uaddr_t buf = ualloc(4096);
	long fd = open_at(path, O_RDONLY), n;

	CHECK_EQ(min(fd, 0L), 0);
	n = sc(__NR_read, fd, buf, 4096);
	CHECK_EQ(sc(__NR_read, fd, buf + 2048, 10), 0);
	CHECK_EQ(sc(__NR_close, fd), 0);
	return n == (long)strlen(text) && ueq(buf, text);
}

/* The same life of a file in a directory of either kind. */
static void life_of_files(const char *dir)
{
	char a[64], b[64], d[64];
	struct stat st;

	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	snprintf(d, sizeof(d), "%s/d", dir);
	CHECK_EQ(stat_of(a, &st), -ENOENT);
	write_text(a, "hello");
	CHECK(has_text(a, "hello"));
	CHECK_EQ(stat_of(a, &st), 0);
	CHECK_EQ(st.st_size, 5);
	CHECK(IS_FILE(st));
	CHECK_EQ(open_at(a, O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
	CHECK_EQ(sc(__NR_link, ustr(a), ustr(b)), 0);
	CHECK_EQ(stat_of(b, &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(sc(__NR_unlink, ustr(a)), 0);
	CHECK_EQ(sc(__NR_rename, ustr(b), ustr(a)), 0);
	CHECK_EQ(sc(__NR_symlink, ustr("a"), ustr(b)), 0);
	CHECK(has_text(b, "hello"));
	CHECK_EQ(sc(__NR_mkdir, ustr(d), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(d), 0755), -EEXIST);
	CHECK_EQ(sc(__NR_rmdir, ustr(a)), -ENOTDIR);
	CHECK_EQ(sc(__NR_unlink, ustr(d)), -EISDIR);
	CHECK_EQ(sc(__NR_truncate, ustr(a), 2), 0);
	CHECK(has_text(b, "he"));
	CHECK_EQ(sc(__NR_chmod, ustr(a), 0600), 0);
	CHECK_EQ(stat_of(a, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(sc(__NR_rmdir, ustr(d)), 0);
	CHECK_EQ(sc(__NR_unlink, ustr(a)), 0);
	CHECK_EQ(open_at(b, O_RDONLY), -ENOENT);
	CHECK_EQ(sc(__NR_unlink, ustr(b)), 0);
}

VM_TEST(host_files)
{
	CHECK_EQ(sc(__NR_mkdir, ustr("/h"), 0755), 0);
	life_of_files("/h");
}

VM_TEST(tmpfs_files)
{
	life_of_files("/tmp");
	CHECK_EQ(sc(__NR_mkdir, ustr("/tmp/x"), 0755), 0);
	life_of_files("/tmp/x");
}

VM_TEST(positions)
{
	static const char *const names[] = { "/p", "/tmp/p" };

	for (int i = 0; i < 2; i++) {
		long fd = open_at(names[i], O_CREAT | O_RDWR), copy;
		uaddr_t buf = ualloc(4096);

		CHECK_EQ(sc(__NR_write, fd, ustr("0123456789"), 10), 10);
		CHECK_EQ(sc(__NR_lseek, fd, 2, 0), 2);
		copy = sc(__NR_dup, fd);
		CHECK_EQ(sc(__NR_read, copy, buf, 3), 3);
		CHECK(ueq(buf, "234"));
		CHECK_EQ(sc(__NR_lseek, fd, 0, 1), 5);
		CHECK_EQ(sc(__NR_pread64, fd, buf, 2, 8), 2);
		CHECK(ueq(buf, "89"));
		CHECK_EQ(sc(__NR_pwrite64, fd, ustr("xy"), 2, 9), 2);
		CHECK_EQ(sc(__NR_lseek, fd, 0, 2), 11);
		CHECK_EQ(sc(__NR_lseek, fd, -1, 0), -EINVAL);
		CHECK_EQ(sc(__NR_read, fd, buf, 5), 0);
		CHECK_EQ(sc(__NR_ftruncate, fd, 20), 0);
		CHECK_EQ(sc(__NR_read, fd, buf, 20), 9);
		CHECK_EQ(sc(__NR_fcntl, fd, F_SETFL, O_APPEND), 0);
		CHECK_EQ(sc(__NR_write, fd, ustr("z"), 1), 1);
		CHECK_EQ(sc(__NR_lseek, fd, 0, 2), 21);
	}
}

VM_TEST(descriptors)
{
	long fd = open_at("/tmp", O_RDONLY), r;

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_dup2, fd, 100), 100);
	CHECK_EQ(sc(__NR_fcntl, 100, F_GETFD), 0);
	CHECK_EQ(sc(__NR_dup3, fd, 100, O_CLOEXEC), 100);
	CHECK_EQ(sc(__NR_fcntl, 100, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(sc(__NR_fcntl, fd, F_DUPFD, 200), 200);
	CHECK_EQ(sc(__NR_fcntl, fd, F_DUPFD, 200), 201);
	CHECK_EQ(sc(__NR_dup2, 999, 3), -EBADF);
	CHECK_EQ(sc(__NR_close, 200), 0);
	CHECK_EQ(sc(__NR_close, 200), -EBADF);
	CHECK_EQ(sc(__NR_close_range, 50, 300, 0), 0);
	CHECK_EQ(sc(__NR_fcntl, 100, F_GETFD), -EBADF);
	CHECK_EQ(sc(__NR_fcntl, 201, F_GETFD), -EBADF);
	r = sc(__NR_dup, fd);
	CHECK_EQ(r, fd + 1);
	CHECK_EQ(sc(__NR_read, fd, ualloc(64), 64), -EISDIR);
	CHECK_EQ(sc(__NR_lseek, fd, 0, 1), 0);
}

VM_TEST(devices)
{
	uaddr_t buf = ualloc(4096);
	long fd = open_at("/dev/null", O_RDWR);
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_write, fd, buf, 4096), 4096);
	CHECK_EQ(sc(__NR_read, fd, buf, 4096), 0);
	poke32(buf, 7);
	fd = open_at("/dev/zero", O_RDONLY);
	CHECK_EQ(sc(__NR_read, fd, buf, 4096), 4096);
	CHECK_EQ(peek32(buf), 0);
	fd = open_at("/dev/urandom", O_RDONLY);
	CHECK_EQ(sc(__NR_read, fd, buf, 4096), 4096);
	CHECK(peek64(buf) || peek64(buf + 8));
	fd = open_at("/dev/full", O_RDWR);
	CHECK_EQ(sc(__NR_write, fd, buf, 1), -ENOSPC);
	CHECK_EQ(stat_of("/dev/null", &st), 0);
	CHECK(IS_DEVICE(st));
	CHECK_EQ(st.st_rdev, 0x103);
	CHECK_EQ(sc(__NR_unlink, ustr("/dev/nothing")), -ENOENT);
	CHECK_EQ(sc(__NR_rmdir, ustr("/dev")), -EBUSY);
}

/* Ways into and out of guest-side mounts. */
VM_TEST(crossing)
{
	struct stat st;

	CHECK_EQ(sc(__NR_mkdir, ustr("/etc"), 0755), 0);
	CHECK_EQ(sc(__NR_symlink, ustr("../dev"), ustr("/etc/dev")), 0);
	CHECK_EQ(sc(__NR_symlink, ustr("/tmp/there"), ustr("/etc/abs")), 0);
	write_text("/etc/abs", "made in tmpfs");
	CHECK(has_text("/tmp/there", "made in tmpfs"));
	CHECK(open_at("/etc/dev/null", O_RDONLY) >= 0);
	CHECK(open_at("/etc/../dev/null", O_RDONLY) >= 0);
	CHECK(open_at("/dev/../etc/dev/./null", O_RDONLY) >= 0);
	CHECK(open_at("//dev//null", O_RDONLY) >= 0);
	CHECK_EQ(open_at("/dev/null/", O_RDONLY), -ENOTDIR);
	CHECK_EQ(sc(__NR_symlink, ustr("/etc"), ustr("/tmp/host")), 0);
	CHECK_EQ(stat_of("/tmp/host/dev/null", &st), 0);
	CHECK(IS_DEVICE(st));
	CHECK_EQ(sc(__NR_symlink, ustr("../etc/dev/null"), ustr("/tmp/rel")), 0);
	CHECK_EQ(stat_of("/tmp/rel", &st), 0);
	CHECK(IS_DEVICE(st));
	CHECK_EQ(sc(__NR_chdir, ustr("/")), 0);
	CHECK_EQ(stat_of("dev/null", &st), 0);
	CHECK_EQ(sc(__NR_chdir, ustr("/tmp")), 0);
	CHECK_EQ(stat_of("../etc", &st), 0);
	CHECK_EQ(sc(__NR_symlink, ustr("loop"), ustr("/tmp/loop")), 0);
	CHECK_EQ(stat_of("/tmp/loop", &st), -ELOOP);
	CHECK_EQ(sc(__NR_rename, ustr("/etc/dev"), ustr("/tmp/dev")), -EXDEV);
}

VM_TEST(directories)
{
	uaddr_t buf = ualloc(8192);
	long fd, n, seen = 0;

	for (int pass = 0; pass < 2; pass++) {
		const char *dir = pass ? "/tmp/many" : "/many";
		char name[64];

		CHECK_EQ(sc(__NR_mkdir, ustr(dir), 0755), 0);
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "%s/file-%d", dir, i);
			write_text(name, "");
		}
		fd = open_at(dir, O_RDONLY | O_DIRECTORY);
		seen = 0;
		while ((n = sc(__NR_getdents64, fd, buf, 1000)) > 0) {
			u8 raw[1000];

			peek(buf, raw, n);
			for (long at = 0; at < n; at += *(u16 *)(raw + at + 16))
				seen++;
		}
		CHECK_EQ(n, 0);
		CHECK_EQ(seen, 102);
		CHECK_EQ(sc(__NR_lseek, fd, 0, 0), 0);
		CHECK(sc(__NR_getdents64, fd, buf, 8192) > 0);
		CHECK_EQ(sc(__NR_lseek, fd, 0, 0), 0);
		CHECK(sc(__NR_getdents, fd, buf, 8192) > 0);
		CHECK_EQ(sc(__NR_lseek, fd, 0, 0), 0);
		CHECK_EQ(sc(__NR_getdents64, fd, buf, 10), -EINVAL);
	}
}

VM_TEST(working_directory)
{
	uaddr_t buf = ualloc(4096);

	CHECK_EQ(sc(__NR_mkdir, ustr("/w"), 0755), 0);
	CHECK_EQ(sc(__NR_chdir, ustr("/w")), 0);
	CHECK_EQ(sc(__NR_getcwd, buf, 4096), 3);
	CHECK(ueq(buf, "/w"));
	CHECK_EQ(sc(__NR_getcwd, buf, 2), -ERANGE);
	CHECK_EQ(sc(__NR_rename, ustr("/w"), ustr("/v")), 0);
	CHECK_EQ(sc(__NR_getcwd, buf, 4096), 3);
	CHECK(ueq(buf, "/v"));
	CHECK_EQ(sc(__NR_mkdir, ustr("sub"), 0755), 0);
	CHECK_EQ(sc(__NR_chroot, ustr("sub")), 0);
	CHECK_EQ(sc(__NR_chdir, ustr("/")), 0);
	CHECK_EQ(sc(__NR_getcwd, buf, 4096), 2);
	CHECK_EQ(open_at("/tmp", O_RDONLY), -ENOENT);
	write_text("/inside", "x");
	CHECK(has_text("../../inside", "x"));
}

VM_TEST(memfd)
{
	long fd = sc(__NR_memfd_create, ustr("m"), 2 /* MFD_ALLOW_SEALING */);
	uaddr_t map;

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_ftruncate, fd, 8192), 0);
	map = sc(__NR_mmap, 0, 8192, 3, 1 /* MAP_SHARED */, fd, 0);
	CHECK((long)map > 0);
	poke32(map + 4096, 42);
	CHECK_EQ(sc(__NR_pread64, fd, map, 4, 4096), 4);
	CHECK_EQ(peek32(map), 42);
	CHECK_EQ(sc(__NR_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	CHECK_EQ(sc(__NR_ftruncate, fd, 4096), -EPERM);
	CHECK_EQ(sc(__NR_fcntl, fd, F_GET_SEALS), F_SEAL_SHRINK);
}

/* arg: the writing end of a pipe, told when locks of the other process have been seen. */
static int hold_lock(void *arg)
{
	long fd = open_at("/lock", O_RDWR);
	struct flock fl = { .l_type = F_WRLCK };

	CHECK_EQ(sc(__NR_fcntl, fd, F_SETLK, uput(&fl, sizeof(fl))), -EAGAIN);
	CHECK_EQ(sc(__NR_flock, fd, 2 | 4), -EAGAIN);
	CHECK_EQ(sc(__NR_write, (long)arg, ustr("x"), 1), 1);
	CHECK_EQ(sc(__NR_fcntl, fd, F_SETLKW, uput(&fl, sizeof(fl))), 0);
	return 0;
}

VM_TEST(locks)
{
	long fd = open_at("/lock", O_CREAT | O_RDWR), pid;
	uaddr_t ends = ualloc(8), buf = ualloc(1);
	struct flock fl = { .l_type = F_WRLCK };

	CHECK_EQ(sc(__NR_pipe2, ends, 0), 0);
	CHECK_EQ(sc(__NR_fcntl, fd, F_SETLK, uput(&fl, sizeof(fl))), 0);
	CHECK_EQ(sc(__NR_flock, fd, 2), 0);
	pid = fork_run(hold_lock, (void *)(long)peek32(ends + 4));
	CHECK_EQ(sc(__NR_read, peek32(ends), buf, 1), 1);
	sleep_ms(50); /* until it most likely waits */
	CHECK_EQ(sc(__NR_close, open_at("/lock", O_RDONLY)), 0); /* any close gives POSIX locks up */
	CHECK_EQ(wait_status(pid), 0);
	fl.l_type = F_RDLCK;
	fl.l_start = 10;
	fl.l_len = 5;
	CHECK_EQ(sc(__NR_fcntl, fd, F_OFD_SETLK, uput(&fl, sizeof(fl))), 0);
	fl.l_type = F_WRLCK;
	CHECK_EQ(sc(__NR_fcntl, fd, F_SETLK, uput(&fl, sizeof(fl))), -EAGAIN);
	fl.l_start = 15;
	CHECK_EQ(sc(__NR_fcntl, fd, F_SETLK, uput(&fl, sizeof(fl))), 0);
}

VM_TEST(copies)
{
	long in, out;
	uaddr_t buf = ualloc(4096), pos = ualloc(4096);

	write_text("/from", "0123456789");
	write_text("/tmp/from", "0123456789");
	for (int pass = 0; pass < 2; pass++) {
		in = open_at(pass ? "/tmp/from" : "/from", O_RDONLY);
		out = open_at("/to", O_CREAT | O_TRUNC | O_RDWR);
		CHECK_EQ(sc(__NR_copy_file_range, in, 0, out, 0, 4, 0), 4);
		poke64(pos, 6);
		CHECK_EQ(sc(__NR_sendfile, out, in, pos, 100), 4);
		CHECK_EQ(peek64(pos), 10);
		CHECK_EQ(sc(__NR_sendfile, out, in, 0, 2), 2);
		CHECK_EQ(sc(__NR_pread64, out, buf, 100, 0), 10);
		CHECK(ueq(buf, "0123678945"));
	}
}

VM_TEST(permissions)
{
	struct stat st;

	CHECK_EQ(sc(__NR_mkdir, ustr("/tmp/private"), 0700), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/private"), 0700), 0);
	write_text("/tmp/mine", "x");
	CHECK_EQ(sc(__NR_chown, ustr("/tmp/mine"), 5, 6), 0);
	CHECK_EQ(stat_of("/tmp/mine", &st), 0);
	CHECK(st.st_uid == 5 && st.st_gid == 6);
	CHECK_EQ(sc(__NR_setresuid, 1000, 1000, 1000), 0);
	CHECK_EQ(stat_of("/tmp/private/x", &st), -EACCES);
	CHECK_EQ(stat_of("/private/x", &st), -EACCES);
	CHECK_EQ(sc(__NR_chmod, ustr("/tmp/mine"), 0777), -EPERM);
	CHECK_EQ(sc(__NR_unlink, ustr("/tmp/mine")), -EPERM); /* sticky */
	CHECK_EQ(open_at("/tmp/mine", O_WRONLY), -EACCES);
	CHECK_EQ(sc(__NR_access, ustr("/tmp/mine"), 4), 0);
	CHECK_EQ(sc(__NR_access, ustr("/tmp/mine"), 2), -EACCES);
	write_text("/tmp/own", "y");
	CHECK_EQ(stat_of("/tmp/own", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
}

VM_TEST(magic_links)
{
	long fd;
	uaddr_t buf = ualloc(4096), p = ualloc(16);
	char name[64];

	write_text("/file", "hello");
	fd = open_at("/file", O_RDONLY);
	snprintf(name, sizeof(name), "/proc/self/fd/%ld", fd);
	CHECK_EQ(sc(__NR_readlink, ustr(name), buf, 4096), 5);
	CHECK(ueq(buf, "/file"));
	CHECK(has_text(name, "hello"));
	CHECK_EQ(sc(__NR_unlink, ustr("/file")), 0);
	CHECK(has_text(name, "hello"));
	CHECK_EQ(sc(__NR_pipe2, p, 0), 0);
	snprintf(name, sizeof(name), "/dev/fd/%u", peek32(p + 4));
	fd = open_at(name, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_write, fd, ustr("abc"), 3), 3);
	CHECK_EQ(sc(__NR_read, peek32(p), buf, 10), 3);
	fd = open_at("/tmp", O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "/proc/self/fd/%ld/under", fd);
	write_text(name, "t");
	CHECK(has_text("/tmp/under", "t"));
}

/* One event of an inotify instance; its name is checked by the caller in buf + 16. */
static u32 next_event(long fd, uaddr_t buf)
{
	uaddr_t one = buf;

	CHECK(sc(__NR_read, fd, one, 32) >= 16);
	return peek32(one + 4);
}

VM_TEST(watches)
{
	long fd = sc(__NR_inotify_init1, O_NONBLOCK), wd;
	uaddr_t buf = ualloc(4096);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_read, fd, buf, 4096), -EAGAIN);
	wd = sc(__NR_inotify_add_watch, fd, ustr("/tmp"), 0x100 | 0x2 | 0x200 | 0xc0);
	CHECK(wd > 0);
	write_text("/tmp/new", "x");
	CHECK_EQ(sc(__NR_read, fd, buf, 20), -EINVAL);
	CHECK_EQ(next_event(fd, buf), 0x100);
	CHECK(ueq(buf + 16, "new"));
	CHECK_EQ(peek32(buf), wd);
	CHECK_EQ(next_event(fd, buf), 0x2);
	CHECK_EQ(sc(__NR_rename, ustr("/tmp/new"), ustr("/tmp/old")), 0);
	CHECK_EQ(next_event(fd, buf), 0x40);
	CHECK_EQ(next_event(fd, buf), 0x80);
	CHECK(ueq(buf + 16, "old"));
	CHECK_EQ(sc(__NR_unlink, ustr("/tmp/old")), 0);
	CHECK_EQ(next_event(fd, buf), 0x200);
	CHECK_EQ(sc(__NR_inotify_rm_watch, fd, wd), 0);
	CHECK_EQ(next_event(fd, buf), 0x8000);
	CHECK_EQ(sc(__NR_inotify_rm_watch, fd, wd), -EINVAL);
	CHECK_EQ(sc(__NR_mkdir, ustr("/seen"), 0755), 0);
	CHECK(sc(__NR_inotify_add_watch, fd, ustr("/seen"), 0x100) > 0);
	write_text("/seen/host", "x");
	EVENTUALLY(sc(__NR_read, fd, buf, 4096) == 32);
	CHECK(ueq(buf + 16, "host"));
}

static int open_for_writing(void *path)
{
	long fd = open_at(path, O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_close, fd), 0);
	return 0;
}

/* A holder that does not give way loses the lease when the time is over: to a reader what excludes it, to a writer all. */
VM_TEST(leases_time_out)
{
	static const char *const files[] = {"/leased", "/tmp/leased"};

	CHECK_EQ(lease_break_time, 45);
	lease_break_time = 1;
	sc(__NR_rt_sigaction, 29 /* SIGIO */, uput(&(u64[4]){ 1 }, 32), 0, 8); /* SIG_IGN */
	for (int i = 0; i < 2; i++) {
		long fd;

		write_text(files[i], "x");
		fd = open_at(files[i], O_RDWR);
		CHECK_EQ(sc(__NR_fcntl, fd, F_SETLEASE, F_WRLCK), 0);
		CHECK_EQ(sc(__NR_openat, CWD, ustr(files[i]), O_RDONLY | O_NONBLOCK, 0), -EAGAIN);
		CHECK_EQ(sc(__NR_fcntl, fd, F_GETLEASE), F_RDLCK);
		EVENTUALLY(sc(__NR_openat, CWD, ustr(files[i]), O_RDONLY | O_NONBLOCK, 0) >= 0);
		CHECK_EQ(sc(__NR_fcntl, fd, F_GETLEASE), F_RDLCK);
		CHECK_EQ(wait_status(fork_run(open_for_writing, (void *)files[i])), 0);
		CHECK_EQ(sc(__NR_fcntl, fd, F_GETLEASE), F_UNLCK);
		CHECK_EQ(sc(__NR_close, fd), 0);
	}
	lease_break_time = 45;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_files),	     cmocka_unit_test(tmpfs_files),
		cmocka_unit_test(positions),	     cmocka_unit_test(descriptors),
		cmocka_unit_test(devices),	     cmocka_unit_test(crossing),
		cmocka_unit_test(directories),	     cmocka_unit_test(working_directory),
		cmocka_unit_test(memfd),	     cmocka_unit_test(locks),
		cmocka_unit_test(copies),	     cmocka_unit_test(permissions),
		cmocka_unit_test(magic_links),	     cmocka_unit_test(watches),
		cmocka_unit_test(leases_time_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
