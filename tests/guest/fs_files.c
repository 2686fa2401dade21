/* SPDX-License-Identifier: Apache-2.0 */
/* Regular files: open, offsets, sizes, times, descriptors. Runs in an empty directory. */
#include "check.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

static char buf[8192];

static void test_open(void)
{
	int fd = OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0644)), other;
	struct stat st;

	FAILS(EEXIST, open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	FAILS(ENOENT, open("none", O_RDONLY));
	FAILS(ENOTDIR, open("f/x", O_RDONLY));
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, open(".", O_WRONLY));
	FAILS(ENOENT, open("", O_RDONLY));
	CHECK(write(fd, "0123456789", 10) == 10);
	FAILS(EBADF, write(OK(open("f", O_RDONLY)), "x", 1));
	FAILS(EBADF, read(OK(open("f", O_WRONLY)), buf, 1));
	other = OK(open("f", O_WRONLY | O_APPEND));
	CHECK(write(other, "AB", 2) == 2 && lseek(other, 0, SEEK_CUR) == 12);
	CHECK(pread(fd, buf, 100, 8) == 4 && !memcmp(buf, "89AB", 4));
	close(other);
	other = OK(open("f", O_RDWR | O_TRUNC));
	OK(fstat(fd, &st));
	CHECK(st.st_size == 0 && st.st_nlink == 1 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0644);
	close(other);
	OK(symlink("f", "l"));
	FAILS(ELOOP, open("l", O_RDONLY | O_NOFOLLOW));
	other = OK(open("l", O_PATH | O_NOFOLLOW));
	OK(fstat(other, &st));
	CHECK(S_ISLNK(st.st_mode));
	FAILS(EBADF, read(other, buf, 1));
	close(other);
	other = OK(open(".", O_TMPFILE | O_RDWR, 0600));
	CHECK(write(other, "tmp", 3) == 3);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", other);
	OK(linkat(AT_FDCWD, buf, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	OK(stat("linked", &st));
	CHECK(st.st_size == 3);
	close(other);
	close(fd);
	OK(unlink("linked"));
	OK(unlink("l"));
	OK(unlink("f"));
}

static void test_offsets(void)
{
	int fd = OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600)), copy;
	struct iovec iov[2] = { { buf, 2 }, { buf + 2, 3 } };

	CHECK(write(fd, "abcdefghij", 10) == 10);
	CHECK(lseek(fd, -3, SEEK_END) == 7 && read(fd, buf, 10) == 3 && read(fd, buf, 1) == 0);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, 0, 99));
	CHECK(lseek(fd, 100, SEEK_SET) == 100 && write(fd, "z", 1) == 1);
	CHECK(pread(fd, buf, 200, 5) == 96 && buf[5] == 0 && buf[95] == 'z');
	copy = OK(dup(fd));
	lseek(copy, 1, SEEK_SET);
	CHECK(readv(fd, iov, 2) == 5 && !memcmp(buf, "bcdef", 5) && lseek(copy, 0, SEEK_CUR) == 6);
	CHECK(preadv(fd, iov, 2, 0) == 5 && !memcmp(buf, "abcde", 5));
	CHECK(pwritev(fd, (struct iovec[]){ { "X", 1 }, { "YZ", 2 } }, 2, 1) == 3);
	CHECK(preadv2(fd, iov, 2, 0, 0) == 5 && !memcmp(buf, "aXYZe", 5));
	FAILS(EINVAL, pread(fd, buf, 1, -1));
	close(copy);
	close(fd);
	OK(unlink("f"));
}

static void test_sizes(void)
{
	int fd = OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));
	struct stat st;

	OK(ftruncate(fd, 1 << 20));
	OK(fstat(fd, &st));
	CHECK(st.st_size == 1 << 20 && st.st_blocks == 0);
	CHECK(pwrite(fd, "mid", 3, 500000) == 3);
	OK(fsync(fd));
	OK(fdatasync(fd));
	CHECK(lseek(fd, 0, SEEK_DATA) > 400000 && lseek(fd, 500100, SEEK_HOLE) > 500000);
	OK(truncate("f", 500001));
	CHECK(pread(fd, buf, 10, 500000) == 1 && buf[0] == 'm');
	OK(fallocate(fd, 0, 0, 700000));
	OK(fstat(fd, &st));
	CHECK(st.st_size == 700000 && st.st_blocks >= 700000 / 512);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 600000));
	CHECK(pread(fd, buf, 1, 500000) == 1 && buf[0] == 0);
	FAILS(EINVAL, ftruncate(fd, -1));
	FAILS(EISDIR, truncate(".", 0));
	close(fd);
	OK(unlink("f"));
}

static void test_copy_range(void)
{
	int in = OK(open("a", O_RDWR | O_CREAT | O_TRUNC, 0600)), out = OK(open("b", O_RDWR | O_CREAT | O_TRUNC, 0600));
	loff_t from = 2;

	CHECK(write(in, "0123456789", 10) == 10);
	CHECK(copy_file_range(in, &from, out, NULL, 5, 0) == 5 && from == 7);
	CHECK(pread(out, buf, 10, 0) == 5 && !memcmp(buf, "23456", 5));
	close(in);
	close(out);
	OK(unlink("a"));
	OK(unlink("b"));
}

static void test_descriptors(void)
{
	int fd = OK(open("/dev/null", O_RDWR)), high;

	CHECK(dup2(fd, 77) == 77 && dup2(77, 77) == 77 && dup3(fd, 78, O_CLOEXEC) == 78);
	CHECK(fcntl(78, F_GETFD) == FD_CLOEXEC && fcntl(77, F_GETFD) == 0);
	FAILS(EINVAL, dup3(fd, fd, 0));
	FAILS(EBADF, dup2(fd, -1));
	FAILS(EBADF, dup(99));
	high = OK(fcntl(fd, F_DUPFD, 100));
	CHECK(high >= 100 && OK(fcntl(fd, F_DUPFD_CLOEXEC, 100)) > high);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	CHECK((fcntl(77, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK)); /* shared */
	OK(close_range(77, 200, 0));
	FAILS(EBADF, fcntl(78, F_GETFD));
	OK(close(fd));
	FAILS(EBADF, close(fd));
	CHECK(open("/dev/null", O_RDONLY) == fd); /* the lowest free one */
	close(fd);
}

static void test_attributes(void)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 123456789 } };
	struct statx stx;
	struct stat st;
	struct statfs fs;
	struct statvfs vfs;
	int fd;

	umask(022);
	fd = OK(open("f", O_RDWR | O_CREAT, 0666));
	OK(fstat(fd, &st));
	CHECK((st.st_mode & 07777) == 0644);
	OK(fchmod(fd, 04755));
	OK(fchown(fd, 10, 20)); /* takes setuid away */
	OK(stat("f", &st));
	CHECK((st.st_mode & 07777) == 0755 && st.st_uid == 10 && st.st_gid == 20);
	OK(chmod("f", 06711));
	OK(lchown("f", -1, 30));
	OK(stat("f", &st));
	CHECK(st.st_uid == 10 && st.st_gid == 30);
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(stat("f", &st));
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 123456789);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	OK(futimens(fd, times));
	OK(fstat(fd, &st));
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 1600000000);
	OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx));
	CHECK(stx.stx_size == 0 && stx.stx_ino == st.st_ino && stx.stx_uid == 10);
	OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
	OK(statfs(".", &fs));
	OK(fstatvfs(fd, &vfs));
	CHECK(fs.f_bsize && fs.f_blocks && vfs.f_namemax >= 255);
	OK(access("f", R_OK | W_OK));
	OK(chmod("f", 0));
	FAILS(EACCES, access("f", X_OK));
	OK(faccessat(AT_FDCWD, "f", F_OK, 0));
	FAILS(ENOENT, access("none", F_OK));
	close(fd);
	OK(unlink("f"));
}

static void test_unlinked(void)
{
	int fd = OK(open("gone", O_RDWR | O_CREAT, 0600));
	struct stat st;

	CHECK(write(fd, "still", 5) == 5);
	OK(unlink("gone"));
	FAILS(ENOENT, stat("gone", &st));
	OK(fstat(fd, &st));
	CHECK(st.st_nlink == 0 && st.st_size == 5 && pread(fd, buf, 9, 0) == 5);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	memset(buf + 100, 0, 200);
	OK(readlink(buf, buf + 100, 200));
	CHECK(strstr(buf + 100, "/gone (deleted)"));
	close(fd);
}

static void test_two_writers(void)
{
	int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0600));
	struct stat st;

	for (int i = 0; i < 4; i++) {
		if (!fork()) {
			for (int j = 0; j < 200; j++)
				CHECK(write(fd, "0123456789", 10) == 10);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		wait(NULL);
	OK(fstat(fd, &st));
	CHECK(st.st_size == 8000);
	close(fd);
	OK(unlink("f"));
}

int main(void)
{
	char dir[] = "files.XXXXXX";

	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	test_open();
	test_offsets();
	test_sizes();
	test_copy_range();
	test_descriptors();
	test_attributes();
	test_unlinked();
	test_two_writers();
	OK(chdir(".."));
	OK(rmdir(dir));
	return 0;
}
