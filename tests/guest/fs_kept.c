/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are opened again and again. The guest kernel keeps their descriptors; everything that would change what an
 * open does has to be seen by the next one.
 */
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void put(const char *name, const char *text)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void rest(void)
{
	usleep(50000); /* files that changed just now are not kept */
}

static void holds(const char *name, const char *text)
{
	char buf[64];
	int fd = OK(open(name, O_RDONLY));
	ssize_t n = OK(read(fd, buf, sizeof(buf)));
	struct stat by_fd, by_name;

	CHECK(n == (ssize_t)strlen(text) && !memcmp(buf, text, n));
	OK(fstat(fd, &by_fd));
	OK(stat(name, &by_name));
	CHECK(by_fd.st_ino == by_name.st_ino && by_fd.st_size == n && by_fd.st_mode == by_name.st_mode);
	CHECK(by_fd.st_uid == by_name.st_uid && by_fd.st_gid == by_name.st_gid);
	close(fd);
}

/* A file that is kept from now on. */
static void kept(const char *name, const char *text)
{
	put(name, text);
	rest();
	for (int i = 0; i < 4; i++)
		holds(name, text);
}

static void replaced(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	kept("a/b/file", "one");
	put("a/b/new", "two");
	OK(rename("a/b/new", "a/b/file"));
	holds("a/b/file", "two");
	rest();
	kept("a/b/file2", "one");
	OK(unlink("a/b/file2"));
	FAILS(ENOENT, open("a/b/file2", O_RDONLY));
	put("a/b/file2", "three");
	holds("a/b/file2", "three");

	kept("a/b/file3", "one");
	OK(mkdir("a/c", 0755));
	put("a/c/file3", "other");
	OK(rename("a/b", "a/old"));
	FAILS(ENOENT, open("a/b/file3", O_RDONLY));
	OK(rename("a/c", "a/b"));
	holds("a/b/file3", "other");

	kept("a/b/file4", "one");
	OK(rename("a/b", "a/d"));
	OK(symlink("old", "a/b"));
	put("a/old/file4", "by link");
	holds("a/b/file4", "by link");
	holds("a/b/file4", "by link");
	FAILS(ELOOP, open("a/b", O_RDONLY | O_NOFOLLOW));
	kept("a/d/file5", "one");
	OK(unlink("a/d/file5"));
	OK(symlink("file4", "a/d/file5"));
	holds("a/d/file5", "one");
	FAILS(ELOOP, open("a/d/file5", O_RDONLY | O_NOFOLLOW));
	OK(unlink("a/d/file5"));
	OK(mkdir("a/d/file5", 0755));
	close(OK(open("a/d/file5", O_RDONLY | O_DIRECTORY)));
}

static void contents(void)
{
	char buf[16];
	int fd, fd2;

	kept("grows", "one");
	fd = OK(open("grows", O_WRONLY | O_APPEND));
	holds("grows", "one");
	CHECK(write(fd, "two", 3) == 3);
	holds("grows", "onetwo");
	OK(ftruncate(fd, 2));
	holds("grows", "on");
	close(fd);
	rest();
	kept("twice", "abc");
	fd = OK(open("twice", O_RDONLY));
	fd2 = OK(open("twice", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	CHECK(read(fd, buf, 2) == 2 && lseek(fd, 0, SEEK_CUR) == 2);
	CHECK(lseek(fd2, 0, SEEK_CUR) == 0 && read(fd2, buf, 1) == 1 && *buf == 'a');
	CHECK(fcntl(fd2, F_GETFL) & O_NONBLOCK && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK(fcntl(fd2, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFD) == 0);
	close(fd);
	close(fd2);
	for (int i = 0; i < 3; i++) {
		fd = OK(open("twice", O_RDONLY));
		CHECK(lseek(fd, 0, SEEK_CUR) == 0);
		CHECK(!(fcntl(fd, F_GETFL) & (O_NOATIME | O_NONBLOCK)));
		OK(lseek(fd, 2, SEEK_SET));
		OK(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) ? -1 : 0);
		OK(fcntl(fd, F_SETFL, O_NONBLOCK | (i == 1 ? O_NOATIME : 0)));
		close(fd);
	}
	FAILS(ENOTDIR, open("twice", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, open("twice/", O_RDONLY));
	FAILS(EBADF, write(OK(open("twice", O_RDONLY)), "x", 1));
}

static void users(void)
{
	char dir[256];
	pid_t child;

	CHECK(getcwd(dir, sizeof(dir)));
	OK(chmod(".", 0755));
	OK(mkdir("u", 0755));
	put("u/file", "text");
	put("u/mine", "mine");
	OK(chown("u/mine", 1000, 1000));
	rest();
	if (!(child = OK(fork()))) {
		OK(setgroups(0, NULL));
		for (int i = 0; i < 4; i++)
			holds("u/file", "text");
		OK(setresgid(1000, 1000, 1000));
		OK(setresuid(1000, 1000, 0));
		for (int i = 0; i < 4; i++)
			holds("u/file", "text");
		OK(setresuid(0, 0, 0));
		OK(chmod("u/file", 0600));
		holds("u/file", "text");
		OK(setresuid(1000, 1000, 0));
		FAILS(EACCES, open("u/file", O_RDONLY));
		OK(setresuid(0, 0, 0));
		OK(chmod("u/file", 0644));
		rest();
		OK(setresuid(1000, 1000, 0));
		for (int i = 0; i < 4; i++)
			holds("u/mine", "mine");
		OK(setresuid(0, 0, 0));
		OK(chmod("u", 0700));
		OK(setresuid(1000, 1000, 0));
		FAILS(EACCES, open("u/mine", O_RDONLY));
		OK(setresuid(0, 0, 0));
		OK(chmod("u", 0755));
		OK(chown("u/mine", 0, 0));
		holds("u/mine", "mine");
		OK(setresuid(1000, 1000, 0));
		holds("u/mine", "mine");
		_exit(0);
	}
	CHECK(reap(child) == 0);
}

static void processes(void)
{
	struct rlimit old, few = { 3, 64 };
	char name[32];
	pid_t child;
	int go[2], done[2];
	char c;

	OK(getrlimit(RLIMIT_NOFILE, &old));
	few.rlim_max = old.rlim_max;
	kept("shared", "one");
	OK(setrlimit(RLIMIT_NOFILE, &few));
	FAILS(EMFILE, open("shared", O_RDONLY));
	OK(setrlimit(RLIMIT_NOFILE, &old));
	OK(pipe(go));
	OK(pipe(done));
	if (!(child = OK(fork()))) {
		for (int i = 0; i < 3; i++)
			holds("shared", "one");
		CHECK(read(go[0], &c, 1) == 1);
		put("other", "two");
		OK(rename("other", "shared"));
		CHECK(write(done[1], "x", 1) == 1);
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		holds("shared", "one");
	CHECK(write(go[1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
	holds("shared", "two");
	CHECK(reap(child) == 0);
	for (int i = 0; i < 100; i++) { /* more than are kept */
		snprintf(name, sizeof(name), "many-%d", i);
		put(name, name);
	}
	rest();
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many-%d", i % 100);
		holds(name, name);
	}
}

static void directories(void)
{
	OK(mkdir("one", 0755));
	OK(mkdir("two", 0755));
	kept("one/same", "1");
	put("two/same", "2");
	OK(chdir("one"));
	rest();
	for (int i = 0; i < 4; i++)
		holds("same", "1");
	OK(chdir("../two"));
	for (int i = 0; i < 4; i++)
		holds("same", "2");
	OK(chdir(".."));
	OK(rename("one", "three"));
	holds("two/same", "2");
	FAILS(ENOENT, open("one/same", O_RDONLY));
	if (!getuid() && !chroot("three")) {
		for (int i = 0; i < 4; i++)
			holds("/same", "1");
		FAILS(ENOENT, open("/three/same", O_RDONLY));
		OK(chroot("."));
	}
}

/* Last: from here on nothing is kept. */
static void watched(void)
{
	char buf[1024];
	int fd, i;

	kept("seen", "one");
	fd = OK(inotify_init1(IN_NONBLOCK));
	OK(inotify_add_watch(fd, "seen", IN_OPEN | IN_CLOSE_NOWRITE));
	for (i = 0; i < 3; i++) {
		close(OK(open("seen", O_RDONLY)));
		CHECK(read(fd, buf, sizeof(buf)) == 2 * sizeof(struct inotify_event));
		CHECK(((struct inotify_event *)buf)[0].mask == IN_OPEN && ((struct inotify_event *)buf)[1].mask == IN_CLOSE_NOWRITE);
	}
	close(fd);
}

int main(void)
{
	char dir[] = "kept.XXXXXX";

	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	replaced();
	contents();
	if (!getuid())
		users();
	processes();
	watched();
	directories(); /* changes the root */
	return 0;
}
