/* SPDX-License-Identifier: Apache-2.0 */
/* A name that was executed is executed again: it is looked up anew, whatever has become of it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

static char self[4096], dir[] = "/tmp/exec-again-XXXXXX", path[64];

static const char *named(const char *name)
{
	static char text[2][128];
	static int which;

	which = !which;
	snprintf(text[which], sizeof(text[which]), "%s/%s", dir, name);
	return text[which];
}

/* A script that ends with a status: by this program. */
static void make(const char *name, int status)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700));

	CHECK(dprintf(fd, "#!%s %d\n", self, status) > 0);
	OK(fchmod(fd, 0700));
	OK(close(fd));
}

/* A program that ends with 9: this one. */
static void copy_self(const char *name)
{
	int from = OK(open(self, O_RDONLY)), to = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700));
	char buf[65536];
	ssize_t n;

	while ((n = OK(read(from, buf, sizeof(buf)))) > 0)
		CHECK(write(to, buf, (size_t)n) == n);
	OK(close(from));
	OK(close(to));
}

static int once(const char *name)
{
	pid_t pid = OK(vfork());

	if (!pid) {
		execl(name, name, NULL);
		_exit(100 + errno);
	}
	return reap(pid);
}

/* Often enough for it to be remembered, if anything is. */
static int again(const char *name)
{
	int status = once(name);

	for (int i = 0; i < 3; i++)
		CHECK(once(name) == status);
	return status;
}

static void test_changes_of_the_file(void)
{
	int fd;

	make(path, 3);
	CHECK(again(path) == 3);
	make(path, 4); /* the same file */
	CHECK(again(path) == 4);
	copy_self(path); /* many pages in place of one */
	CHECK(again(path) == 9);
	make(path, 4);
	OK(chmod(path, 0600));
	CHECK(again(path) == 100 + EACCES);
	OK(chmod(path, 0700));
	CHECK(again(path) == 4);
	fd = OK(open(path, O_WRONLY));
	CHECK(again(path) == 100 + ETXTBSY);
	OK(close(fd));
	CHECK(again(path) == 4);
}

static void test_another_file(void)
{
	make(named("b"), 5);
	OK(rename(named("b"), path));
	CHECK(again(path) == 5);
	OK(unlink(path));
	CHECK(again(path) == 100 + ENOENT);
	make(path, 6);
	CHECK(again(path) == 6);
}

static void test_links(void)
{
	char link[128];

	snprintf(link, sizeof(link), "%s/link", dir);
	make(named("b"), 7);
	OK(symlink("a", link));
	CHECK(again(link) == 6);
	OK(unlink(link));
	OK(symlink("b", link));
	CHECK(again(link) == 7);
	OK(unlink(named("b")));
	CHECK(again(link) == 100 + ENOENT);
	OK(unlink(link));
}

static void test_directories(void)
{
	char other[64];

	snprintf(other, sizeof(other), "%s.other", dir);
	OK(rename(dir, other));
	CHECK(again(path) == 100 + ENOENT);
	OK(mkdir(dir, 0700));
	make(path, 8);
	CHECK(again(path) == 8);
	OK(unlink(path));
	OK(rmdir(dir));
	OK(rename(other, dir));
	CHECK(again(path) == 6);
}

static void test_another_user(void)
{
	OK(chmod(dir, 0755));
	OK(chmod(path, 0700));
	CHECK(again(path) == 6);
	IN_CHILD({
		OK(setuid(12345));
		CHECK(again(path) == 100 + EACCES);
	});
	CHECK(again(path) == 6);
}

int main(int argc, char **argv)
{
	if (argc == 3) /* the interpreter */
		return atoi(argv[1]);
	if (getenv("EXEC_AGAIN"))
		return 9;
	OK(setenv("EXEC_AGAIN", "", 1));
	OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	OK((long)mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	test_changes_of_the_file();
	test_another_file();
	test_links();
	test_directories();
	test_another_user();
	OK(unlink(path));
	OK(rmdir(dir));
	return 0;
}
