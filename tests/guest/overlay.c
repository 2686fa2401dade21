/* SPDX-License-Identifier: Apache-2.0 */
/* mount -t overlay: what is seen of the layers, copying up, whiteouts, opaque directories, renaming. */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define OPTIONS "lowerdir=t/l1:t/l2,upperdir=t/up,workdir=t/work"

static void put(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	OK(close(fd));
}

static int has(const char *path, const char *text)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	CHECK(read(fd, buf, sizeof(buf) - 1) >= 0);
	OK(close(fd));
	return !strcmp(buf, text);
}

static int there(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static int is_whiteout(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISCHR(st.st_mode) && !st.st_rdev;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, sorted, with a blank behind each. */
static const char *names(const char *path)
{
	static char text[512];
	char *v[64];
	struct dirent *e;
	int n = 0;
	DIR *d = opendir(path);

	CHECK(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			v[n++] = strdup(e->d_name);
	closedir(d);
	qsort(v, (size_t)n, sizeof(*v), by_text);
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		strcat(strcat(text, v[i]), " ");
		free(v[i]);
	}
	return text;
}

static void layers(void)
{
	OK(mkdir("t", 0755));
	OK(mkdir("m", 0755));
	OK(mount("none", "t", "tmpfs", 0, NULL));
	OK(mkdir("t/l1", 0755));
	OK(mkdir("t/l2", 0755));
	OK(mkdir("t/up", 0755));
	OK(mkdir("t/work", 0755));
	put("t/l1/a", "a1");
	put("t/l2/a", "a2");
	put("t/l2/b", "b2");
	put("t/up/u", "uu");
	OK(symlink("b", "t/l2/link"));
	OK(mkdir("t/l1/d", 0755));
	OK(mkdir("t/l2/d", 0700));
	put("t/l1/d/x", "x1");
	put("t/l2/d/y", "y2");
	OK(mkdir("t/l2/only", 0755));
	put("t/l2/only/f", "f2");
	OK(mkdir("t/l2/only/deep", 0755));
	put("t/l2/only/deep/g", "g2");
}

static void test_errors(void)
{
	FAILS(EINVAL, mount("o", "m", "overlay", 0, NULL));
	FAILS(EINVAL, mount("o", "m", "overlay", 0, "lowerdir=t/l1"));
	FAILS(EINVAL, mount("o", "m", "overlay", 0, "lowerdir=t/l1,upperdir=t/up"));
	FAILS(ENOENT, mount("o", "m", "overlay", 0, "lowerdir=t/none,upperdir=t/up,workdir=t/work"));
	FAILS(EINVAL, mount("o", "m", "overlay", 0, OPTIONS ",nonsense=1"));
	FAILS(EINVAL, mount("o", "m", "overlay", 0, "lowerdir=t/l1,upperdir=t/up,workdir=t/up"));
}

static void test_merge(void)
{
	struct statfs s;

	OK(statfs("m", &s));
	CHECK(s.f_type == 0x794c7630);
	CHECK(!strcmp(names("m"), "a b d link only u "));
	CHECK(!strcmp(names("m/d"), "x y "));
	CHECK(has("m/a", "a1") && has("m/b", "b2") && has("m/u", "uu") && has("m/link", "b2"));
	CHECK(has("m/d/x", "x1") && has("m/d/y", "y2"));
	CHECK(!there("m/none"));
	FAILS(ENOENT, open("m/d/none/x", O_RDONLY));
	FAILS(ENOTDIR, open("m/a/x", O_RDONLY));
}

static void test_copy_up(void)
{
	struct stat before, after, at;
	int rd = OK(open("m/b", O_RDONLY)), fd;
	char c, *map;

	OK(stat("m/b", &before));
	OK(fstat(rd, &at));
	CHECK(before.st_ino == at.st_ino && before.st_dev == at.st_dev && before.st_size == 2);
	OK(chmod("m/b", 0600));
	CHECK(there("t/up/b") && has("t/l2/b", "b2"));
	OK(stat("m/b", &after));
	CHECK((after.st_mode & 07777) == 0600 && after.st_size == 2);
	CHECK(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	OK(stat("t/l2/b", &at));
	CHECK((at.st_mode & 07777) == 0644);
	fd = OK(open("m/b", O_RDWR | O_APPEND));
	CHECK(write(fd, "+", 1) == 1);
	CHECK(has("m/b", "b2+") && has("t/up/b", "b2+") && has("t/l2/b", "b2"));
	CHECK(pread(rd, &c, 1, 2) == 1 && c == '+'); /* what was open before sees it */
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, "b2+", 3));
	map[0] = 'B';
	CHECK(has("m/b", "B2+"));
	OK(munmap(map, 4096));
	OK(close(fd));
	OK(close(rd));
	put("m/only/deep/g", "new"); /* with the directories above it */
	CHECK(has("m/only/deep/g", "new") && has("t/l2/only/deep/g", "g2") && has("m/only/f", "f2"));
	OK(truncate("m/only/f", 1));
	CHECK(has("m/only/f", "f"));
	OK(lchown("m/link", 0, 0));
	CHECK(there("t/up/link") && has("m/link", "B2+"));
	OK(link("m/a", "m/a-again"));
	CHECK(has("m/a-again", "a1") && there("t/up/a"));
	OK(unlink("m/a-again"));
}

static void test_whiteouts(void)
{
	int fd = OK(open("m/d/x", O_RDONLY));
	char c;

	OK(unlink("m/d/x"));
	CHECK(!there("m/d/x") && is_whiteout("t/up/d/x") && there("t/l1/d/x"));
	CHECK(!strcmp(names("m/d"), "y "));
	CHECK(read(fd, &c, 1) == 1 && c == 'x');
	OK(close(fd));
	FAILS(ENOENT, unlink("m/d/x"));
	put("m/d/x", "anew");
	CHECK(has("m/d/x", "anew") && !is_whiteout("t/up/d/x"));
	OK(unlink("m/u")); /* of the upper layer only: nothing to hide */
	CHECK(!there("m/u") && !there("t/up/u"));
	FAILS(EPERM, mknod("m/w", S_IFCHR, 0));
	FAILS(EISDIR, unlink("m/d"));
	FAILS(ENOTDIR, rmdir("m/a"));
	FAILS(ENOTEMPTY, rmdir("m/d"));
}

static void test_opaque(void)
{
	OK(unlink("m/d/x"));
	OK(unlink("m/d/y"));
	OK(rmdir("m/d"));
	CHECK(!there("m/d") && is_whiteout("t/up/d"));
	OK(mkdir("m/d", 0711));
	CHECK(!strcmp(names("m/d"), ""));
	CHECK(!there("m/d/y"));
	put("m/d/z", "z");
	CHECK(!strcmp(names("m/d"), "z "));
}

static void test_rename(void)
{
	OK(rename("m/a", "m/a2"));
	CHECK(!there("m/a") && has("m/a2", "a1") && is_whiteout("t/up/a"));
	FAILS(EXDEV, rename("m/only", "m/moved")); /* a lower one */
	OK(mkdir("m/pure", 0755));
	put("m/pure/p", "p");
	OK(rename("m/pure", "m/pure2"));
	CHECK(has("m/pure2/p", "p") && !there("m/pure"));
	OK(rename("m/a2", "m/only/f"));
	CHECK(has("m/only/f", "a1") && !there("m/a2") && has("t/l2/only/f", "f2"));
	FAILS(EISDIR, rename("m/only/f", "m/d"));
	FAILS(ENOTEMPTY, rename("m/pure2", "m/d"));
	OK(unlink("m/d/z"));
	OK(rename("m/pure2", "m/d"));
	CHECK(!strcmp(names("m/d"), "p "));
	FAILS(EEXIST, renameat2(AT_FDCWD, "m/b", AT_FDCWD, "m/link", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "m/b", AT_FDCWD, "m/only/f", RENAME_EXCHANGE));
	CHECK(has("m/b", "a1") && has("m/only/f", "B2+"));
	CHECK(!strcmp(names("m"), "b d link only "));
}

/* The same again, when the layers are mounted anew. */
static void test_again(void)
{
	OK(umount2("m", 0));
	OK(mount("o", "m", "overlay", 0, OPTIONS));
	CHECK(!strcmp(names("m"), "b d link only "));
	CHECK(!strcmp(names("m/d"), "p "));
	OK(umount2("m", 0));
	OK(mount("o", "m", "overlay", 0, "lowerdir=t/up:t/l1:t/l2")); /* all of them only read */
	CHECK(!strcmp(names("m"), "b d link only "));
	CHECK(!strcmp(names("m/d"), "p "));
	FAILS(EROFS, open("m/x", O_CREAT | O_WRONLY, 0600));
	FAILS(EROFS, unlink("m/b"));
	OK(umount2("m", 0));
}

/* A layer of ordinary files, and programs in it. */
static void test_ordinary(void)
{
	char line[256];
	FILE *f;

	OK(mkdir("low", 0755));
	put("low/prog", "#!/bin/sh\necho run >low-out\n");
	OK(chmod("low/prog", 0755));
	OK(symlink("prog", "low/to"));
	OK(mkdir("low/dir", 0755));
	put("low/dir/f", "f");
	OK(mkdir("t/up2", 0755));
	OK(mkdir("t/work2", 0755));
	OK(mount("o", "m", "overlay", MS_NODEV, "lowerdir=low,upperdir=t/up2,workdir=t/work2"));
	CHECK(!strcmp(names("m"), "dir prog to "));
	CHECK(!system("m/to") && has("low-out", "run\n"));
	put("m/dir/f", "changed");
	CHECK(has("m/dir/f", "changed") && has("low/dir/f", "f") && has("t/up2/dir/f", "changed"));
	OK(chdir("m/dir"));
	CHECK(has("../dir/f", "changed") && !strcmp(strrchr(getcwd(line, sizeof(line)), '/'), "/dir"));
	OK(chdir("../.."));
	OK(unlink("m/prog"));
	CHECK(!strcmp(names("m"), "dir to ") && there("low/prog"));
	f = fopen("/proc/self/mounts", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f) && !strstr(line, " overlay "))
		;
	while (!strstr(line, "lowerdir=low") && fgets(line, sizeof(line), f))
		;
	CHECK(strstr(line, "lowerdir=low,upperdir=t/up2,workdir=t/work2"));
	fclose(f);
	OK(umount2("m", 0));
	OK(unlink("low-out"));
	OK(unlink("low/dir/f"));
	OK(rmdir("low/dir"));
	OK(unlink("low/to"));
	OK(unlink("low/prog"));
	OK(rmdir("low"));
}

/* Four at a time change the same tree: every file is there once, and whole. */
static void *change(void *arg)
{
	char path[64], text[32];

	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "m/s/%d-%s", i % 8, (char *)arg);
		snprintf(text, sizeof(text), "%d %s", i, (char *)arg);
		put(path, text);
		CHECK(has(path, text));
		put("m/s/low", "0123456789");
		if (i % 3 == 2)
			OK(unlink(path));
		CHECK(there("m/s/low"));
	}
	return NULL;
}

static void test_many(void)
{
	static char *const who[] = { "a", "b", "c", "d" };
	pthread_t threads[4];

	OK(mkdir("t/l3", 0755));
	OK(mkdir("t/l3/s", 0755));
	put("t/l3/s/low", "lower");
	OK(mkdir("t/up3", 0755));
	OK(mkdir("t/work3", 0755));
	OK(mount("o", "m", "overlay", 0, "lowerdir=t/l3,upperdir=t/up3,workdir=t/work3"));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, change, who[i]));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(has("m/s/low", "0123456789") && has("t/l3/s/low", "lower"));
	OK(umount2("m", 0));
}

int main(void)
{
	if (unshare(CLONE_NEWNS)) { /* no CAP_SYS_ADMIN */
		FAILS(EPERM, mount("o", "/tmp", "overlay", 0, "lowerdir=/tmp,upperdir=/tmp,workdir=/tmp"));
		return 0;
	}
	OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	umask(022);
	layers();
	test_errors();
	OK(mount("o", "m", "overlay", 0, OPTIONS));
	test_merge();
	test_copy_up();
	test_whiteouts();
	test_opaque();
	test_rename();
	test_again();
	test_ordinary();
	test_many();
	OK(umount2("t", 0));
	OK(rmdir("t"));
	OK(rmdir("m"));
	return 0;
}
