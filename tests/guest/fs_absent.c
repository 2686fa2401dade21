/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are not there, asked for again and again. The guest kernel remembers some; whatever makes one, or changes why it is
 * not found, has to be seen by the next call, whoever did it.
 */
#include "check.h"
#include "own_ns.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void absent(const char *name)
{
	char *const argv[] = { (char *)name, NULL };
	struct stat st;
	char text[8];

	for (int i = 0; i < 3; i++) {
		FAILS(ENOENT, access(name, F_OK));
		FAILS(ENOENT, stat(name, &st));
		FAILS(ENOENT, lstat(name, &st));
		FAILS(ENOENT, open(name, O_RDONLY));
		FAILS(ENOENT, open(name, O_RDWR | O_NOFOLLOW));
		FAILS(ENOENT, readlink(name, text, sizeof(text)));
		FAILS(ENOENT, execv(name, argv));
	}
}

static void there(const char *name)
{
	struct stat st;

	OK(access(name, F_OK));
	OK(lstat(name, &st));
	OK(stat(name, &st));
	close(OK(open(name, O_RDONLY | O_NONBLOCK)));
}

static void make(const char *name)
{
	close(OK(open(name, O_WRONLY | O_CREAT, 0644)));
}

static void gone_again(const char *name)
{
	there(name);
	OK(remove(name));
	absent(name);
}

static void made(const char *dir)
{
	char name[300], other[300];
	pid_t child;
	int fd;

	snprintf(name, sizeof(name), "%sname", dir);
	snprintf(other, sizeof(other), "%sother", dir);
	absent(name);
	make(name);
	gone_again(name);
	OK(mkdir(name, 0755));
	gone_again(name);
	OK(mkfifo(name, 0644));
	gone_again(name);
	make(other);
	OK(symlink("other", name));
	gone_again(name);
	OK(link(other, name));
	gone_again(name);
	OK(rename(other, name));
	gone_again(name);
	fd = OK(open(*dir ? dir : ".", O_RDWR | O_TMPFILE, 0644));
	snprintf(other, sizeof(other), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, other, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
	gone_again(name);
	if (!(child = OK(fork()))) {
		make(name);
		_exit(0);
	}
	CHECK(reap(child) == 0);
	gone_again(name);
	if (!(child = OK(vfork()))) {
		_exit(mkdir(name, 0755) ? 1 : 0);
	}
	CHECK(reap(child) == 0);
	gone_again(name);
}

static void bound(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct stat st;
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	absent("socket");
	OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	OK(stat("socket", &st));
	OK(unlink("socket"));
	absent("socket");
	close(fd);
}

static void links(void)
{
	struct stat st;

	OK(symlink("target", "dangling"));
	for (int i = 0; i < 3; i++) {
		OK(lstat("dangling", &st));
		FAILS(ENOENT, stat("dangling", &st));
		FAILS(ENOENT, open("dangling", O_RDONLY));
		FAILS(ELOOP, open("dangling", O_RDONLY | O_NOFOLLOW));
	}
	make("target");
	there("dangling");
	OK(unlink("target"));
	FAILS(ENOENT, stat("dangling", &st));
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	make("b/file");
	OK(symlink("a", "way"));
	absent("way/file");
	OK(symlink("b", "way2"));
	OK(rename("way2", "way"));
	there("way/file");
	OK(rename("b", "c"));
	absent("way/file");
	OK(rename("a", "b"));
	absent("way/file");
	OK(rename("c/file", "b/file"));
	there("way/file");
}

static void directories(void)
{
	char here[256];

	CHECK(getcwd(here, sizeof(here)));
	OK(mkdir("one", 0755));
	OK(mkdir("two", 0755));
	make("two/same");
	OK(chdir("one"));
	absent("same");
	OK(chdir("../two"));
	there("same");
	OK(chdir("../one"));
	absent("same");
	OK(chdir(here));
	OK(rename("two", "one/below"));
	absent("two/same");
	there("one/below/same");
}

static void users(void)
{
	pid_t child;

	OK(chmod(".", 0755));
	OK(mkdir("u", 0755));
	if (!(child = OK(fork()))) {
		OK(setgroups(0, NULL));
		OK(setresgid(1000, 1000, 1000));
		absent("u/none");
		OK(setresuid(1000, 1000, 0));
		absent("u/none");
		OK(setresuid(0, 0, 0));
		OK(chmod("u", 0700));
		absent("u/none");
		OK(setresuid(1000, 1000, 0));
		for (int i = 0; i < 3; i++) {
			FAILS(EACCES, faccessat(AT_FDCWD, "u/none", F_OK, AT_EACCESS));
			FAILS(EACCES, open("u/none", O_RDONLY));
		}
		OK(setresuid(0, 0, 0));
		absent("u/none");
		OK(chmod("u", 0755));
		OK(setresuid(1000, 1000, 0));
		absent("u/none");
		_exit(0);
	}
	CHECK(reap(child) == 0);
}

static void mounts(void)
{
	pid_t child;

	OK(mkdir("m", 0755));
	if (!(child = OK(fork()))) {
		absent("m/file");
		become_root(CLONE_NEWNS);
		absent("m/file");
		OK(mount("none", "m", "tmpfs", 0, NULL));
		make("m/file");
		there("m/file");
		OK(umount("m"));
		absent("m/file");
		_exit(0);
	}
	CHECK(reap(child) == 0);
}

/* Last: changes the root. */
static void roots(void)
{
	OK(mkdir("root", 0755));
	make("root/in-root");
	absent("/in-root");
	if (!getuid() && !chroot("root")) {
		there("/in-root");
		absent("/root/in-root");
	}
}

int main(void)
{
	char dir[] = "/var/tmp/absent.XXXXXX", below[64];

	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	made("");
	snprintf(below, sizeof(below), "%s/", dir);
	made(below);
	bound();
	links();
	directories();
	if (!getuid())
		users();
	mounts();
	roots();
	return 0;
}
