/* SPDX-License-Identifier: Apache-2.0 */
/* Names: directories, links, renames and how paths are walked. */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void make(const char *name, const char *text)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int holds(const char *name, const char *text)
{
	char buf[64] = "";
	int fd = OK(open(name, O_RDONLY));

	OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	return !strcmp(buf, text);
}

static void test_rename(void)
{
	make("a", "A");
	make("b", "B");
	OK(rename("a", "b"));
	CHECK(holds("b", "A"));
	FAILS(ENOENT, rename("a", "c"));
	make("a", "A2");
	FAILS(EEXIST, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	CHECK(holds("a", "A") && holds("b", "A2"));
	OK(mkdir("d", 0755));
	FAILS(EISDIR, rename("a", "d"));
	FAILS(ENOTDIR, rename("d", "a"));
	OK(rename("a", "d/a"));
	FAILS(EINVAL, rename("d", "d/d"));
	OK(mkdir("e", 0755));
	FAILS(ENOTEMPTY, rename("e", "d"));
	OK(rename("d", "e"));
	CHECK(holds("e/a", "A"));
	OK(unlink("e/a"));
	OK(rmdir("e"));
	OK(unlink("b"));
}

static void test_links(void)
{
	char target[PATH_MAX] = "";
	struct stat one, two;

	make("f", "F");
	OK(link("f", "h"));
	OK(stat("f", &one));
	OK(stat("h", &two));
	CHECK(one.st_ino == two.st_ino && one.st_nlink == 2);
	FAILS(EEXIST, link("f", "h"));
	FAILS(EPERM, link(".", "dirlink"));
	OK(symlink("nowhere/at/all", "s"));
	CHECK(readlink("s", target, sizeof(target)) == 14 && !strcmp(target, "nowhere/at/all"));
	CHECK(readlink("s", target, 3) == 3);
	FAILS(ENOENT, stat("s", &one));
	OK(lstat("s", &one));
	CHECK(S_ISLNK(one.st_mode) && one.st_size == 14);
	FAILS(EINVAL, readlink("f", target, 10));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	FAILS(ELOOP, stat("loop1", &one));
	OK(symlink("f", "good"));
	CHECK(holds("good", "F"));
	make("s2", "");
	FAILS(EEXIST, symlink("f", "s2"));
	for (const char *const *n = (const char *[]){ "f", "h", "s", "loop1", "loop2", "good", "s2", NULL }; *n; n++)
		OK(unlink(*n));
}

static void test_directories(void)
{
	char name[300], cwd[PATH_MAX], before[PATH_MAX];
	struct dirent *entry;
	int seen[500] = { 0 }, n = 0, fd;
	long position = -1;
	struct stat st;
	DIR *dir;

	CHECK(getcwd(before, sizeof(before)));
	umask(022);
	OK(mkdir("d", 01777));
	OK(stat("d", &st));
	CHECK(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 01755);
	FAILS(EEXIST, mkdir("d", 0755));
	FAILS(ENOENT, mkdir("x/y", 0755));
	FAILS(EISDIR, unlink("d"));
	OK(chdir("d"));
	CHECK(getcwd(cwd, sizeof(cwd)) && !strncmp(cwd, before, strlen(before)) && strstr(cwd, "/d"));
	FAILS(ERANGE, getcwd(cwd, 2) ? 0 : -1);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "a-rather-long-file-name-%03d", i);
		make(name, "");
	}
	dir = opendir(".");
	CHECK(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
		seen[atoi(strrchr(entry->d_name, '-') + 1)]++;
		if (++n == 250)
			position = telldir(dir);
	}
	for (int i = 0; i < 500; i++)
		CHECK(seen[i] == 1);
	seekdir(dir, position);
	for (n = 0; (entry = readdir(dir)); n++)
		CHECK(entry->d_name[0] == 'a' || entry->d_name[0] == '.');
	CHECK(n >= 248 && n <= 252);
	rewinddir(dir);
	for (n = 0; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			OK(unlinkat(dirfd(dir), entry->d_name, 0)), n++;
	CHECK(n == 500);
	closedir(dir);
	OK(mkdir("sub", 0700));
	fd = OK(open("sub", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTEMPTY, rmdir("../d"));
	OK(fchdir(fd));
	FAILS(EINVAL, rmdir("."));
	OK(rmdir("../sub"));
	FAILS(ENOENT, getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	FAILS(ENOENT, open("x", O_CREAT | O_WRONLY, 0600));
	close(fd);
	OK(chdir(before));
	OK(rmdir("d"));
	memset(name, 'n', 256);
	name[256] = 0;
	FAILS(ENAMETOOLONG, mkdir(name, 0700));
}

static void test_walks(void)
{
	static char deep[5000];
	int fd;

	OK(mkdir("w", 0755));
	make("w/f", "W");
	CHECK(holds("w/../w/./f", "W") && holds("./w//f", "W"));
	FAILS(ENOTDIR, open("w/f/", O_RDONLY));
	FAILS(ENOTDIR, open("w/f/..", O_RDONLY));
	OK(symlink("w", "wl"));
	CHECK(holds("wl/f", "W"));
	OK(open("wl/", O_RDONLY | O_DIRECTORY));
	fd = OK(open("w", O_PATH | O_DIRECTORY));
	OK(faccessat(fd, "f", R_OK, 0));
	FAILS(EBADF, openat(999, "f", O_RDONLY));
	OK(openat(999, "/etc/passwd", O_RDONLY)); /* absolute: the descriptor does not matter */
	OK(mkdirat(fd, "m", 0700));
	OK(unlinkat(fd, "m", AT_REMOVEDIR));
	memset(deep, '/', 4200);
	FAILS(ENAMETOOLONG, open(deep, O_RDONLY));
	OK(unlink("w/f"));
	OK(unlink("wl"));
	OK(rmdir("w"));
}

static long openat2_(int fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

static void test_openat2(void)
{
	int fd;

	OK(mkdir("o", 0755));
	make("o/f", "O");
	OK(symlink("f", "o/l"));
	OK(symlink("/etc/passwd", "o/abs"));
	fd = OK(open("o", O_RDONLY | O_DIRECTORY));
	OK(openat2_(fd, "f", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, openat2_(fd, "../o/f", O_RDONLY, RESOLVE_BENEATH));
	FAILS(EXDEV, openat2_(fd, "abs", O_RDONLY, RESOLVE_BENEATH));
	FAILS(ELOOP, openat2_(fd, "l", O_RDONLY, RESOLVE_NO_SYMLINKS));
	OK(openat2_(fd, "/f", O_RDONLY, RESOLVE_IN_ROOT));
	FAILS(ENOENT, openat2_(fd, "abs", O_RDONLY, RESOLVE_IN_ROOT));
	FAILS(EINVAL, openat2_(fd, "f", O_RDONLY, 1 << 20));
	close(fd);
	OK(unlink("o/f"));
	OK(unlink("o/l"));
	OK(unlink("o/abs"));
	OK(rmdir("o"));
}

struct handle {
	unsigned int bytes;
	int type;
	unsigned char data[128];
};

static int handle_of(const char *name, struct handle *h, int *mount, int flags)
{
	memset(h, 0, sizeof(*h));
	h->bytes = sizeof(h->data);
	return (int)syscall(SYS_name_to_handle_at, AT_FDCWD, name, h, mount, flags);
}

/* Files of tmpfs have handles: one, by whatever name. */
static void test_handles(void)
{
	char dir[] = "/dev/shm/names.XXXXXX";
	struct handle one, two, small = { 0 };
	struct statx st;
	int id, id2;

	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	close(OK(open("a", O_CREAT | O_RDWR, 0600)));
	close(OK(open("b", O_CREAT | O_RDWR, 0600)));
	OK(link("a", "c"));
	OK(symlink("a", "s"));
	OK(handle_of("a", &one, &id, 0));
	CHECK(one.bytes && one.bytes <= sizeof(one.data));
	OK(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS | 0x1000 /* STATX_MNT_ID */, &st));
	CHECK(st.stx_mnt_id == (unsigned long)id);
	OK(handle_of("c", &two, &id2, 0));
	CHECK(id == id2 && !memcmp(&one, &two, sizeof(one)));
	OK(handle_of("s", &two, &id2, AT_SYMLINK_FOLLOW));
	CHECK(!memcmp(&one, &two, sizeof(one)));
	OK(handle_of("s", &two, &id2, 0));
	CHECK(memcmp(&one, &two, sizeof(one)));
	OK(handle_of("b", &two, &id2, 0));
	CHECK(memcmp(&one, &two, sizeof(one)));
	FAILS(EOVERFLOW, syscall(SYS_name_to_handle_at, AT_FDCWD, "a", &small, &id2, 0));
	CHECK(small.bytes == one.bytes && id2 == id);
	small.bytes = 129;
	FAILS(EINVAL, syscall(SYS_name_to_handle_at, AT_FDCWD, "a", &small, &id2, 0));
	FAILS(EFAULT, syscall(SYS_name_to_handle_at, AT_FDCWD, "a", NULL, &id2, 0));
	FAILS(EFAULT, syscall(SYS_name_to_handle_at, AT_FDCWD, "a", &one, NULL, 0));
	FAILS(EOPNOTSUPP, handle_of("/proc/self/stat", &two, &id2, 0));
	for (const char *name = "abcs"; *name; name++)
		OK(unlink((char[]){ *name, '\0' }));
	OK(chdir("/"));
	OK(rmdir(dir));
}

int main(void)
{
	char dir[] = "names.XXXXXX";

	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	test_rename();
	test_links();
	test_directories();
	test_walks();
	test_openat2();
	OK(chdir(".."));
	OK(rmdir(dir));
	test_handles();
	return 0;
}
