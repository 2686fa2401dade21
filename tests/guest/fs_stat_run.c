/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of one file of a directory after another's, which the guest kernel may know beforehand: whatever somebody
 * else in here does meanwhile is seen by the next call, though the one who asks has made no call but stat.
 */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FILES 100

/* Between who asks (which may make no call) and who changes. */
static volatile struct shared {
	int step; /* odd: change; even: ask */
} *shared;

static char *name_of(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "d/f%03d", i);
	return name;
}

static void make(int i, const char *text)
{
	int fd = OK(open(name_of(i), O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void other_side(void (*change)(void))
{
	while (shared->step != 1)
		;
	change();
	shared->step = 2;
	_exit(0);
}

static struct stat before, after;

/* Stats of many files, of which the last is known to the kernel perhaps; then, without a call in between, of one that has changed. */
static void seen(void (*change)(void))
{
	struct stat st[3];
	pid_t pid;
	int status;

	for (int i = 0; i < FILES; i++)
		make(i, "12345");
	OK(chmod(name_of(90), 0644));
	shared->step = 0;
	pid = OK(fork());
	if (!pid)
		other_side(change);
	for (int i = 0; i < 30; i++)
		OK(lstat(name_of(i), &st[0]));
	CHECK(st[0].st_size == 5 && st[0].st_nlink == 1);
	before = (struct stat){};
	OK(lstat(name_of(90), &before));
	CHECK(before.st_size == 5);
	shared->step = 1;
	while (shared->step != 2)
		;
	after = (struct stat){};
	if (lstat(name_of(90), &after))
		after.st_size = -errno;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void grow(void)
{
	int fd = open(name_of(90), O_WRONLY | O_APPEND);

	CHECK(write(fd, "6", 1) == 1);
}

static void link_grows(void)
{
	int fd;

	OK(link(name_of(90), "other"));
	fd = OK(open("other", O_WRONLY));
	CHECK(pwrite(fd, "x", 1, 8) == 1);
	OK(unlink("other"));
}

static void change_mode(void) { OK(chmod(name_of(90), 0600)); }

static void replace(void)
{
	make(91, "123456789");
	OK(rename("d/f091", "d/f090"));
}

static void take_away(void) { OK(unlink(name_of(90))); }

static void other_folder(void)
{
	OK(rename("d", "e"));
	OK(mkdir("d", 0755));
	make(90, "");
}

static void cut(void) { OK(truncate(name_of(90), 1)); }

static void set_times(void)
{
	struct timespec t[2] = {{1000, 0}, {2000, 5}};

	OK(utimensat(AT_FDCWD, name_of(90), t, 0));
}

static void write_mapped(void)
{
	int fd = OK(open(name_of(90), O_RDWR));
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	usleep(20000);
	*p = 'x';
}

static void links(void)
{
	struct stat st;

	OK(symlink("f001", "d/link"));
	for (int i = 0; i < 40; i++)
		OK(stat(name_of(i), &st));
	OK(stat("d/link", &st));
	CHECK(S_ISREG(st.st_mode) && st.st_size == 5);
	OK(lstat("d/link", &st));
	CHECK(S_ISLNK(st.st_mode) && st.st_size == 4);
	OK(lstat("d/f000", &st));
	CHECK(S_ISREG(st.st_mode));
	FAILS(ENOENT, stat("d/none", &st));
	FAILS(ENOTDIR, stat("d/f001/", &st));
	OK(stat("d/.", &st));
	CHECK(S_ISDIR(st.st_mode));
}

/* All of a directory that takes several answers, by two ways; twice what the host says at once. */
static void many(void)
{
	struct stat st, one;
	char name[32];
	int dir;

	OK(mkdir("m", 0755));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		OK(truncate((close(OK(open(name, O_WRONLY | O_CREAT, 0640))), name), i));
	}
	dir = OK(open("m", O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		memset(&st, 0, sizeof(st));
		memset(&one, 0, sizeof(one));
		OK(lstat(name, &st));
		OK(fstatat(dir, name + 2, &one, 0));
		CHECK(st.st_size == i && !memcmp(&st, &one, sizeof(st)));
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW));
		CHECK(st.st_size == i && st.st_mode == (S_IFREG | 0640) && st.st_nlink == 1);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		OK(unlink(name));
	}
	close(dir);
	OK(rmdir("m"));
}

int main(void)
{
	umask(0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	OK(mkdir("d", 0755));
	seen(grow);
	CHECK(after.st_size == 6);
	seen(link_grows);
	CHECK(after.st_size == 9 && after.st_nlink == 1);
	seen(change_mode);
	CHECK(after.st_mode == (S_IFREG | 0600));
	seen(replace);
	CHECK(after.st_size == 9 && after.st_ino != before.st_ino);
	make(91, "");
	seen(take_away);
	CHECK(after.st_size == -ENOENT);
	seen(cut);
	CHECK(after.st_size == 1);
	seen(set_times);
	CHECK(after.st_atime == 1000 && after.st_mtime == 2000 && after.st_mtim.tv_nsec == 5);
	seen(other_folder);
	CHECK(after.st_size == 0);
	for (int i = 0; i < FILES; i++) {
		char *name = name_of(i);

		unlink(name);
		*name = 'e';
		unlink(name);
		*name = 'd';
	}
	OK(rmdir("e"));
	seen(grow);
	links();
	many();
	seen(write_mapped); /* the last: from now on nothing is known beforehand */
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec || after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
	seen(grow);
	for (int i = 0; i < FILES; i++)
		OK(unlink(name_of(i)));
	OK(unlink("d/link"));
	OK(rmdir("d"));
	return 0;
}
