/* SPDX-License-Identifier: Apache-2.0 */
/* openat2(2): what each flag lets a name do, alone and while somebody moves directories; fallocate(2) with its modes. */
#include "check.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int base; /* a/: f, d/, in -> d/../f, out -> ../secret, abs -> /f, loop -> loop */

static int try_open(int fd, const char *path, unsigned long flags, unsigned long resolve)
{
	struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0, .resolve = resolve };

	return (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

static void opens(int fd, const char *path, unsigned long flags, unsigned long resolve)
{
	int got = try_open(fd, path, flags, resolve);

	if (got < 0)
		check_failed(__FILE__, (int)resolve, path);
	close(got);
}

static int same(int fd, const char *path)
{
	struct stat a, b;

	OK(fstat(fd, &a));
	OK(stat(path, &b));
	close(fd);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void test_beneath(void)
{
	opens(base, "f", O_RDWR, RESOLVE_BENEATH);
	opens(base, "d/../f", O_RDONLY, RESOLVE_BENEATH);
	opens(base, "in", O_RDONLY, RESOLVE_BENEATH);
	opens(base, ".", O_RDONLY, RESOLVE_BENEATH);
	FAILS(EXDEV, try_open(base, "..", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(base, "d/../../a/f", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(base, "/", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(base, "out", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(base, "abs", O_RDONLY, RESOLVE_BENEATH));
	FAILS(ELOOP, try_open(base, "loop", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(base, "../new", O_WRONLY | O_CREAT, RESOLVE_BENEATH));
	opens(base, "d/new", O_WRONLY | O_CREAT | O_EXCL, RESOLVE_BENEATH);
	FAILS(EEXIST, try_open(base, "d/new", O_WRONLY | O_CREAT | O_EXCL, RESOLVE_BENEATH));
	OK(unlinkat(base, "d/new", 0));
}

static void test_in_root(void)
{
	CHECK(same(OK(try_open(base, "/", O_RDONLY, RESOLVE_IN_ROOT)), "a"));
	CHECK(same(OK(try_open(base, "../../..", O_RDONLY, RESOLVE_IN_ROOT)), "a"));
	CHECK(same(OK(try_open(base, "/../d/../../f", O_RDONLY, RESOLVE_IN_ROOT)), "a/f"));
	CHECK(same(OK(try_open(base, "abs", O_RDONLY, RESOLVE_IN_ROOT)), "a/f"));
	FAILS(ENOENT, try_open(base, "out", O_RDONLY, RESOLVE_IN_ROOT));
	opens(base, "/../new", O_WRONLY | O_CREAT | O_EXCL, RESOLVE_IN_ROOT);
	OK(unlinkat(base, "new", 0));
}

static void test_links(void)
{
	int fd, proc = OK(open("/proc", O_PATH | O_DIRECTORY));
	char text[20], name[40];

	FAILS(ELOOP, try_open(base, "in", O_RDONLY, RESOLVE_NO_SYMLINKS));
	FAILS(ELOOP, try_open(base, "dlink/new", O_RDONLY, RESOLVE_NO_SYMLINKS));
	FAILS(ELOOP, try_open(proc, "self/status", O_RDONLY, RESOLVE_NO_SYMLINKS));
	opens(base, "d/../f", O_RDONLY, RESOLVE_NO_SYMLINKS);
	fd = OK(try_open(base, "in", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS));
	CHECK(OK(readlinkat(fd, "", text, sizeof(text))) == 6);
	close(fd);
	FAILS(ELOOP, try_open(proc, "self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	FAILS(ELOOP, try_open(proc, "self/cwd", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	FAILS(ELOOP, try_open(proc, "self/cwd/a/f", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	snprintf(name, sizeof(name), "self/fd/%d", base);
	FAILS(ELOOP, try_open(proc, name, O_RDONLY, RESOLVE_NO_MAGICLINKS));
	FAILS(ELOOP, try_open(proc, "self/ns/uts", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	opens(proc, "self/status", O_RDONLY, RESOLVE_NO_MAGICLINKS);
	opens(proc, "self/exe", O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
	opens(base, "in", O_RDONLY, RESOLVE_NO_MAGICLINKS);
	FAILS(EXDEV, try_open(proc, "self/cwd", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, try_open(proc, "self/cwd", O_RDONLY, RESOLVE_IN_ROOT));
	close(proc);
}

static void test_mounts(void)
{
	int root = OK(open("/", O_PATH | O_DIRECTORY)), proc = OK(open("/proc", O_PATH | O_DIRECTORY));
	int shm = OK(open("/dev/shm", O_PATH | O_DIRECTORY));
	char name[40];

	snprintf(name, sizeof(name), "fs_resolve.%d", getpid());
	FAILS(EXDEV, try_open(root, "proc/self/status", O_RDONLY, RESOLVE_NO_XDEV));
	FAILS(EXDEV, try_open(root, "proc", O_PATH, RESOLVE_NO_XDEV));
	FAILS(EXDEV, try_open(proc, "..", O_PATH, RESOLVE_NO_XDEV));
	FAILS(EXDEV, try_open(proc, "self/root", O_PATH, RESOLVE_NO_XDEV));
	FAILS(EXDEV, try_open(proc, "self/exe", O_PATH, RESOLVE_NO_XDEV));
	OK(symlinkat("/", shm, name));
	FAILS(EXDEV, try_open(shm, name, O_PATH, RESOLVE_NO_XDEV));
	opens(shm, name, O_PATH, 0);
	OK(unlinkat(shm, name, 0));
	opens(proc, "self/status", O_RDONLY, RESOLVE_NO_XDEV);
	opens(base, "d/../f", O_RDONLY, RESOLVE_NO_XDEV);
	opens(proc, "/", O_PATH, RESOLVE_NO_XDEV);
	close(root);
	close(proc);
	close(shm);
}

static void test_cached(void)
{
	int fd = try_open(base, "f", O_RDONLY, RESOLVE_CACHED);

	CHECK(fd >= 0 || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	FAILS(EAGAIN, try_open(base, "f", O_RDWR | O_TRUNC, RESOLVE_CACHED));
	FAILS(EAGAIN, try_open(base, "new", O_WRONLY | O_CREAT, RESOLVE_CACHED));
}

static void test_arguments(void)
{
	struct { struct open_how how; unsigned long more[2]; } longer = { .how = { .flags = O_RDONLY } };

	FAILS(EINVAL, try_open(base, "f", 1UL << 40, 0));
	FAILS(EINVAL, try_open(base, "f", O_PATH | O_RDWR | O_TRUNC, 0));
	FAILS(EINVAL, try_open(base, "f", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	FAILS(EINVAL, try_open(base, "f", O_RDONLY, 1UL << 40));
	close((int)OK(syscall(SYS_openat2, base, "f", &longer, sizeof(longer))));
	FAILS(E2BIG, syscall(SYS_openat2, base, "f", &longer, 8192));
	longer.more[1] = 1;
	FAILS(E2BIG, syscall(SYS_openat2, base, "f", &longer, sizeof(longer)));
	FAILS(EINVAL, syscall(SYS_openat2, base, "f", &longer, 0));
	longer.how.mode = 0600;
	FAILS(EINVAL, syscall(SYS_openat2, base, "f", &longer, sizeof(longer.how)));
	longer.how = (struct open_how){ .flags = O_CREAT | O_WRONLY, .mode = 010000 };
	FAILS(EINVAL, syscall(SYS_openat2, base, "f", &longer, sizeof(longer.how)));
	FAILS(EBADF, try_open(-1, "f", O_RDONLY, 0));
	FAILS(ENOTDIR, try_open(base, "f", O_RDONLY | O_DIRECTORY, 0));
}

/* d goes back and forth between a/ and the directory that holds secret: "d/../secret" never leads to it. */
static volatile int over;

static void *move(void *arg)
{
	(void)arg;
	while (!over) {
		OK(rename("a/d", "d"));
		OK(rename("d", "a/d"));
	}
	return NULL;
}

static void test_moves(void)
{
	pthread_t mover;
	int fd;

	CHECK(!pthread_create(&mover, NULL, move, NULL));
	for (int i = 0; i < 2000; i++) {
		fd = try_open(base, i & 1 ? "d/../secret" : "d/../../secret", O_RDONLY, i & 2 ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);
		CHECK(fd == -1 && (errno == ENOENT || errno == EXDEV || errno == EAGAIN));
	}
	over = 1;
	CHECK(!pthread_join(mover, NULL));
}

static void test_fallocate(void)
{
	int fd = OK(open("a/f", O_RDWR)), dir = OK(open("a", O_RDONLY)), ends[2], r;
	char got[3 * 4096];
	struct stat st;

	OK(pipe(ends));
	OK(fallocate(fd, 0, 0, sizeof(got)));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10 * sizeof(got)));
	OK(fstat(fd, &st));
	CHECK(st.st_size == sizeof(got));
	memset(got, 'x', sizeof(got));
	CHECK(pwrite(fd, got, sizeof(got), 0) == sizeof(got));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 4096));
	CHECK(pread(fd, got, sizeof(got), 0) == sizeof(got));
	CHECK(got[99] == 'x' && !got[100] && !got[4195] && got[4196] == 'x');
	r = fallocate(fd, FALLOC_FL_ZERO_RANGE, 8000, 8000);
	if (!r) {
		OK(fstat(fd, &st));
		CHECK(st.st_size == 16000 && pread(fd, got, 2, 7999) == 2 && got[0] == 'x' && !got[1]);
	} else {
		CHECK(errno == EOPNOTSUPP);
	}
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EFBIG, fallocate(fd, 0, 0x7fffffffffffffff, 0x7fffffffffffffff));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	FAILS(EOPNOTSUPP, fallocate(fd, 0x8000, 0, 4096));
	FAILS(EBADF, fallocate(-1, 0, 0, 1));
	FAILS(EBADF, fallocate(dir, 0, 0, 1));
	FAILS(ESPIPE, fallocate(ends[1], 0, 0, 1));
	close(fd);
	close(dir);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const char *const names[] = { "a/f", "a/in", "a/out", "a/abs", "a/loop", "a/dlink", "secret" };

	OK(mkdir("a", 0755));
	OK(mkdir("a/d", 0755));
	close(OK(open("a/f", O_WRONLY | O_CREAT, 0644)));
	close(OK(open("secret", O_WRONLY | O_CREAT, 0644)));
	OK(symlink("d/../f", "a/in"));
	OK(symlink("../secret", "a/out"));
	OK(symlink("/f", "a/abs"));
	OK(symlink("loop", "a/loop"));
	OK(symlink("d", "a/dlink"));
	base = OK(open("a", O_RDONLY | O_DIRECTORY));
	test_beneath();
	test_in_root();
	test_links();
	test_mounts();
	test_cached();
	test_arguments();
	test_moves();
	test_fallocate();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		OK(unlink(names[i]));
	OK(rmdir("a/d"));
	OK(rmdir("a"));
	return 0;
}
