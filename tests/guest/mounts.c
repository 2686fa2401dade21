/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2), umount2(2), pivot_root(2), mount namespaces. With CAP_SYS_ADMIN everything, in a namespace of its own;
 * without it that all is refused.
 */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static char top[96];

static int pivot_root(const char *new, const char *old)
{
	return (int)syscall(SYS_pivot_root, new, old);
}

static bool privileged(void)
{
	char line[256];
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	if (f)
		fclose(f);
	return caps >> 21 & 1;
}

static void put(const char *path, const char *text)
{
	int fd = OK(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	OK(close(fd));
}

static bool has(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return !strcmp(buf, text);
}

/* The line of mountinfo for a mountpoint: the last one; false: none. */
static bool info(const char *at, char *line, size_t size)
{
	char buf[1024], where[512];
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "r");

	CHECK(f);
	while (fgets(buf, sizeof(buf), f)) {
		if (sscanf(buf, "%*d %*d %*s %*s %511s", where) == 1 && !strcmp(where, at)) {
			found = true;
			snprintf(line, size, "%s", buf);
		}
	}
	fclose(f);
	return found;
}

static char *at(const char *name)
{
	static char paths[8][160];
	static int n;
	char *p = paths[n++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", top, name);
	return p;
}

static bool shown(const char *name, const char *part)
{
	char line[1024];

	return info(at(name), line, sizeof(line)) && strstr(line, part);
}

/* ---- */

static void test_refused(void)
{
	FAILS(EPERM, mount("none", "/tmp", "tmpfs", 0, ""));
	FAILS(EPERM, mount("/tmp", "/tmp", NULL, MS_BIND, NULL));
	FAILS(EPERM, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	FAILS(EPERM, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
	FAILS(ENOENT, mount("none", "/no/such/place", "tmpfs", 0, ""));
	FAILS(EPERM, umount2("/proc", 0));
	FAILS(EPERM, umount2("/proc", MNT_DETACH));
	FAILS(ENOENT, umount2("/no/such/place", 0));
	FAILS(EPERM, pivot_root("/tmp", "/tmp"));
	FAILS(EPERM, unshare(CLONE_NEWNS));
}

static void test_tmpfs(void)
{
	struct statfs fs;
	struct stat st, below;
	char line[1024];

	OK(mkdir(at("t"), 0755));
	put(at("t/under"), "under");
	OK(stat(at("t"), &below));
	OK(mount("mine", at("t"), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0700,uid=12,gid=34,nr_inodes=5"));
	OK(stat(at("t"), &st));
	CHECK((st.st_mode & 07777) == 0700 && st.st_uid == 12 && st.st_gid == 34);
	CHECK(st.st_dev != below.st_dev);
	FAILS(ENOENT, stat(at("t/under"), &st));
	OK(statfs(at("t"), &fs));
	CHECK(fs.f_type == 0x01021994 && fs.f_blocks * fs.f_bsize == 1 << 20 && fs.f_files == 5);
	CHECK(info(at("t"), line, sizeof(line)));
	CHECK(strstr(line, " - tmpfs mine ") && strstr(line, "nosuid,nodev"));
	put(at("t/a"), "a");
	CHECK(has(at("t/../t/a"), "a") && has(at("t/./a"), "a"));
	OK(symlink("t/a", at("link")));
	CHECK(has(at("link"), "a"));
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t/f%d", i);
		put(at(name), "");
	}
	FAILS(ENOSPC, open(at("t/one-too-many"), O_CREAT | O_WRONLY, 0644));
	FAILS(EBUSY, rmdir(at("t")));
	FAILS(EBUSY, rename(at("t"), at("t2")));
	FAILS(EXDEV, rename(at("t/a"), at("a")));
	FAILS(EXDEV, link(at("t/a"), at("a")));
	FAILS(EEXIST, mkdir(at("t"), 0755));
	OK(umount2(at("t"), 0));
	CHECK(has(at("t/under"), "under"));
	CHECK(!info(at("t"), line, sizeof(line)));
	FAILS(EINVAL, umount2(at("t"), 0));
	OK(unlink(at("link")));
	OK(unlink(at("t/under")));
	OK(rmdir(at("t")));
}

static void test_errors(void)
{
	OK(mkdir(at("e"), 0755));
	put(at("file"), "");
	FAILS(ENODEV, mount("none", at("e"), "nosuchfs", 0, NULL));
	FAILS(EINVAL, mount("none", at("e"), NULL, 0, NULL));
	FAILS(EINVAL, mount("none", at("e"), "tmpfs", 0, "nosuchoption=1"));
	FAILS(ENOTDIR, mount("none", at("file"), "tmpfs", 0, NULL));
	FAILS(ENOENT, mount("none", at("missing"), "tmpfs", 0, NULL));
	FAILS(ENOTDIR, mount("none", at("file/x"), "tmpfs", 0, NULL));
	FAILS(EFAULT, mount("none", (char *)8, "tmpfs", 0, NULL));
	FAILS(EINVAL, mount(NULL, at("e"), NULL, MS_BIND, NULL));
	FAILS(ENOENT, mount(at("missing"), at("e"), NULL, MS_BIND, NULL));
	FAILS(ENOTDIR, mount(at("file"), at("e"), NULL, MS_BIND, NULL));
	FAILS(ENOTDIR, mount(at("e"), at("file"), NULL, MS_BIND, NULL));
	FAILS(EINVAL, mount(NULL, at("e"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	FAILS(EINVAL, mount(NULL, at("e"), NULL, MS_PRIVATE, NULL));
	FAILS(EINVAL, mount(NULL, "/", NULL, MS_PRIVATE | MS_SHARED, NULL));
	FAILS(EINVAL, mount(at("e"), at("e"), NULL, MS_MOVE, NULL));
	FAILS(EINVAL, umount2(at("e"), 0));
	FAILS(EINVAL, umount2(at("e"), 64));
	FAILS(ENOENT, umount2(at("missing"), 0));
	FAILS(EBUSY, pivot_root(at("e"), at("e")));
	OK(unlink(at("file")));
	OK(rmdir(at("e")));
}

static void test_bind(void)
{
	char line[1024];
	struct stat a, b;
	int fd;

	OK(mkdir(at("src"), 0755));
	OK(mkdir(at("src/sub"), 0755));
	OK(mkdir(at("dst"), 0755));
	put(at("src/file"), "one");
	put(at("src/sub/deep"), "deep");
	OK(mount(at("src"), at("dst"), NULL, MS_BIND, NULL));
	CHECK(has(at("dst/file"), "one") && has(at("dst/sub/deep"), "deep"));
	OK(stat(at("src/file"), &a));
	OK(stat(at("dst/file"), &b));
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	put(at("dst/new"), "new");
	CHECK(has(at("src/new"), "new"));
	FAILS(EXDEV, rename(at("src/new"), at("dst/new2")));
	FAILS(EXDEV, link(at("src/new"), at("dst/new2")));
	OK(rename(at("dst/new"), at("dst/new2")));
	OK(unlink(at("src/new2")));
	/* read-only: the mount, not what it shows */
	OK(mount(NULL, at("dst"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK(info(at("dst"), line, sizeof(line)) && strstr(line, " ro"));
	FAILS(EROFS, open(at("dst/file"), O_WRONLY));
	FAILS(EROFS, open(at("dst/other"), O_CREAT | O_WRONLY, 0644));
	FAILS(EROFS, mkdir(at("dst/d"), 0755));
	FAILS(EEXIST, mkdir(at("dst/sub"), 0755));
	FAILS(EROFS, unlink(at("dst/file")));
	FAILS(EROFS, unlink(at("dst/none")));
	FAILS(EROFS, chmod(at("dst/file"), 0600));
	FAILS(EROFS, truncate(at("dst/file"), 0));
	FAILS(EROFS, rename(at("dst/file"), at("dst/file2")));
	FAILS(EROFS, symlink("x", at("dst/l")));
	FAILS(EROFS, access(at("dst/file"), W_OK));
	OK(access(at("dst/file"), R_OK));
	fd = OK(open(at("dst/file"), O_RDONLY));
	FAILS(EROFS, fchmod(fd, 0600));
	OK(close(fd));
	put(at("src/file"), "two");
	CHECK(has(at("dst/file"), "two"));
	OK(mount(NULL, at("dst"), NULL, MS_REMOUNT | MS_BIND, NULL));
	put(at("dst/file"), "three");
	/* files */
	put(at("other"), "other");
	OK(mount(at("other"), at("dst/file"), NULL, MS_BIND, NULL));
	CHECK(has(at("dst/file"), "other") && has(at("src/file"), "three"));
	OK(truncate(at("dst/file"), 2));
	CHECK(has(at("other"), "ot"));
	FAILS(EEXIST, open(at("dst/file"), O_CREAT | O_EXCL | O_WRONLY, 0644));
	put(at("dst/file"), "again");
	CHECK(has(at("other"), "again"));
	FAILS(EBUSY, unlink(at("dst/file")));
	FAILS(EBUSY, umount2(at("dst"), 0));
	OK(umount2(at("dst/file"), 0));
	OK(umount2(at("dst"), 0));
	FAILS(ENOENT, stat(at("dst/file"), &a));
}

static void test_rbind(void)
{
	OK(mount("m", at("src/sub"), "tmpfs", 0, ""));
	put(at("src/sub/inner"), "inner");
	OK(mount(at("src"), at("dst"), NULL, MS_BIND, NULL));
	CHECK(has(at("dst/sub/deep"), "deep"));
	OK(umount2(at("dst"), 0));
	OK(mount(at("src"), at("dst"), NULL, MS_BIND | MS_REC, NULL));
	CHECK(has(at("dst/sub/inner"), "inner"));
	CHECK(shown("dst/sub", " - tmpfs m "));
	/* move */
	OK(mkdir(at("moved"), 0755));
	FAILS(ELOOP, mount(at("dst"), at("dst/sub"), NULL, MS_MOVE, NULL));
	OK(mount(at("dst"), at("moved"), NULL, MS_MOVE, NULL));
	CHECK(has(at("moved/sub/inner"), "inner") && !has(at("dst/sub/inner"), "inner"));
	/* detached as a whole, while somebody uses it */
	int fd = OK(open(at("moved/sub/inner"), O_RDONLY));
	FAILS(EBUSY, umount2(at("moved/sub"), 0));
	OK(umount2(at("moved"), MNT_DETACH));
	CHECK(!shown("moved", "") && !shown("moved/sub", ""));
	char text[8] = "";
	CHECK(read(fd, text, 8) == 5 && !strcmp(text, "inner"));
	OK(close(fd));
	FAILS(EAGAIN, umount2(at("src/sub"), MNT_EXPIRE));
	OK(umount2(at("src/sub"), MNT_EXPIRE));
	FAILS(EINVAL, umount2(at("src/sub"), MNT_EXPIRE));
	OK(rmdir(at("moved")));
}

static void test_flags(void)
{
	int fd;

	OK(mount("m", at("dst"), "tmpfs", MS_NOEXEC | MS_NODEV | MS_NOSUID | MS_NOATIME, ""));
	CHECK(shown("dst", "rw,nosuid,nodev,noexec,noatime"));
	put(at("dst/prog"), "#!/bin/sh\nexit 0\n");
	OK(chmod(at("dst/prog"), 0755));
	FAILS(EACCES, execl(at("dst/prog"), "prog", NULL));
	FAILS(EACCES, access(at("dst/prog"), X_OK));
	OK(mknod(at("dst/null"), S_IFCHR | 0666, makedev(1, 3)));
	FAILS(EACCES, open(at("dst/null"), O_RDWR));
	fd = OK(open(at("dst/prog"), O_RDWR));
	FAILS(EBUSY, mount(NULL, at("dst"), NULL, MS_REMOUNT | MS_RDONLY, NULL));
	OK(close(fd));
	OK(mount(NULL, at("dst"), NULL, MS_REMOUNT | MS_RDONLY, "size=2m"));
	FAILS(EROFS, open(at("dst/prog"), O_RDWR));
	OK(mount(NULL, at("dst"), NULL, MS_REMOUNT, NULL));
	OK(umount2(at("dst"), 0));
	/* flags of a bind mount of ordinary files */
	put(at("src/prog"), "#!/bin/sh\nexit 0\n");
	OK(chmod(at("src/prog"), 0755));
	OK(mount(at("src"), at("dst"), NULL, MS_BIND, NULL));
	OK(mount(NULL, at("dst"), NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_NOSYMFOLLOW, NULL));
	FAILS(EACCES, execl(at("dst/prog"), "prog", NULL));
	OK(symlink("file", at("src/l")));
	CHECK(has(at("src/l"), "three"));
	FAILS(ELOOP, open(at("dst/l"), O_RDONLY));
	OK(umount2(at("dst"), 0));
	OK(unlink(at("src/l")));
}

static void test_filesystems(void)
{
	struct stat st, null;

	OK(mount("p", at("dst"), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	OK(stat(at("dst/self/status"), &st));
	CHECK(shown("dst", " - proc p "));
	OK(umount2(at("dst"), 0));
	OK(mount("devpts", at("dst"), "devpts", 0, "newinstance,ptmxmode=0666,mode=620"));
	OK(stat(at("dst/ptmx"), &st));
	CHECK(S_ISCHR(st.st_mode) && (st.st_mode & 0777) == 0666);
	OK(umount2(at("dst"), 0));
	OK(mount("mq", at("dst"), "mqueue", 0, NULL));
	OK(umount2(at("dst"), 0));
	/* devices of a bound /dev work */
	OK(mount("/dev", at("dst"), NULL, MS_BIND | MS_REC, NULL));
	OK(stat(at("dst/null"), &st));
	OK(stat("/dev/null", &null));
	CHECK(st.st_rdev == null.st_rdev && st.st_ino == null.st_ino);
	put(at("dst/null"), "nothing");
	OK(umount2(at("dst"), MNT_DETACH));
}

/* Stacks of mounts, and what stays below of them. */
static void test_stack(void)
{
	int dir;

	OK(mount("one", at("dst"), "tmpfs", 0, ""));
	put(at("dst/f"), "one");
	dir = OK(open(at("dst"), O_RDONLY | O_DIRECTORY));
	OK(mount("two", at("dst"), "tmpfs", 0, ""));
	put(at("dst/f"), "two");
	CHECK(has(at("dst/f"), "two"));
	int fd = OK(openat(dir, "f", O_RDONLY));
	char text[8] = "";
	CHECK(read(fd, text, 8) == 3 && !strcmp(text, "one"));
	OK(close(fd));
	OK(umount2(at("dst"), 0));
	CHECK(has(at("dst/f"), "one"));
	FAILS(EBUSY, umount2(at("dst"), 0));
	OK(close(dir));
	OK(umount2(at("dst"), 0));
}

static void test_cwd(void)
{
	char buf[256];

	OK(mkdir(at("src/sub/in"), 0755));
	OK(mount(at("src/sub"), at("dst"), NULL, MS_BIND, NULL));
	OK(chdir(at("dst/in")));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, at("dst/in")));
	OK(chdir(".."));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, at("dst")));
	CHECK(has("deep", "deep"));
	OK(chdir(".."));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, top));
	OK(chdir("dst"));
	FAILS(EBUSY, umount2(at("dst"), 0));
	OK(umount2(".", MNT_DETACH));
	CHECK(has("deep", "deep"));
	OK(chdir("/"));
	OK(rmdir(at("src/sub/in")));
}

static void test_shared(void)
{
	int go[2], done[2];
	char c;
	pid_t pid;

	OK(mount("s", at("dst"), "tmpfs", 0, ""));
	OK(mkdir(at("dst/a"), 0755));
	OK(mount(NULL, at("dst"), NULL, MS_SHARED, NULL));
	CHECK(shown("dst", " shared:"));
	OK(pipe(go));
	OK(pipe(done));
	pid = OK(fork());
	if (!pid) {
		OK(unshare(CLONE_NEWNS));
		CHECK(write(done[1], "x", 1) == 1);
		CHECK(read(go[0], &c, 1) == 1);
		CHECK(has(at("dst/a/f"), "in"));
		OK(mount(NULL, at("dst"), NULL, MS_SLAVE, NULL));
		CHECK(shown("dst", " master:"));
		OK(umount2(at("dst/a"), 0));
		CHECK(!has(at("dst/a/f"), "in"));
		OK(mount(NULL, at("dst"), NULL, MS_UNBINDABLE, NULL));
		CHECK(shown("dst", " unbindable"));
		FAILS(EINVAL, mount(at("dst"), at("src"), NULL, MS_BIND, NULL));
		_exit(0);
	}
	CHECK(read(done[0], &c, 1) == 1);
	OK(mount("inner", at("dst/a"), "tmpfs", 0, ""));
	put(at("dst/a/f"), "in");
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(reap(pid) == 0);
	CHECK(has(at("dst/a/f"), "in")); /* what a slave does stays there */
	OK(umount2(at("dst/a"), 0));
	OK(umount2(at("dst"), 0));
	OK(close(go[0]));
	OK(close(go[1]));
	OK(close(done[0]));
	OK(close(done[1]));
}

static void test_namespaces(void)
{
	struct pollfd p = { .fd = OK(open("/proc/self/mountinfo", O_RDONLY)), .events = POLLPRI };
	int home = OK(open("/proc/self/ns/mnt", O_RDONLY)), theirs, ready[2];
	char before[64] = "", after[64] = "", link[64], c;
	pid_t pid;

	CHECK(poll(&p, 1, 0) == 0);
	OK(readlink("/proc/self/ns/mnt", before, sizeof(before) - 1));
	OK(chdir(at("src")));
	OK(pipe(ready));
	pid = OK(fork());
	if (!pid) {
		OK(unshare(CLONE_NEWNS));
		OK(readlink("/proc/self/ns/mnt", after, sizeof(after) - 1));
		CHECK(strcmp(before, after));
		CHECK(has("sub/deep", "deep"));
		OK(mount("theirs", at("dst"), "tmpfs", 0, ""));
		put(at("dst/mark"), "theirs");
		CHECK(write(ready[1], "x", 1) == 1);
		pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(!has(at("dst/mark"), "theirs"));
	snprintf(link, sizeof(link), "/proc/%d/ns/mnt", pid);
	theirs = OK(open(link, O_RDONLY));
	OK(kill(pid, 9));
	CHECK(reap(pid) == 1009);
	IN_CHILD({
		OK(setns(theirs, CLONE_NEWNS));
		CHECK(has(at("dst/mark"), "theirs"));
		CHECK(getcwd(after, sizeof(after)) && !strcmp(after, "/"));
		OK(setns(home, 0));
		CHECK(!has(at("dst/mark"), "theirs"));
	});
	FAILS(EINVAL, setns(theirs, CLONE_NEWUTS));
	OK(close(theirs));
	OK(close(home));
	OK(mount("m", at("dst"), "tmpfs", 0, ""));
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLPRI && p.revents & POLLERR);
	CHECK(poll(&p, 1, 0) == 0);
	OK(umount2(at("dst"), 0));
	OK(close(p.fd));
	OK(close(ready[0]));
	OK(close(ready[1]));
	OK(chdir("/"));
}

/* A namespace that a file keeps: what ip-netns(8) does. */
static void test_kept_namespace(void)
{
	struct stat before, after;
	char line[1024], was[64] = "", is[64] = "";
	int fd;

	put(at("kept"), "");
	IN_CHILD({
		OK(readlink("/proc/self/ns/uts", was, sizeof(was) - 1));
		OK(stat("/proc/self/ns/uts", &before));
		OK(mount("/proc/self/ns/uts", at("kept"), NULL, MS_BIND, NULL));
		OK(unshare(CLONE_NEWUTS));
		OK(sethostname("other", 5));
		fd = OK(open(at("kept"), O_RDONLY));
		OK(fstat(fd, &after));
		CHECK(before.st_ino == after.st_ino);
		OK(setns(fd, CLONE_NEWUTS));
		OK(readlink("/proc/self/ns/uts", is, sizeof(is) - 1));
		CHECK(!strcmp(was, is));
		CHECK(info(at("kept"), line, sizeof(line)) && strstr(line, was) && strstr(line, " - nsfs nsfs "));
		FAILS(EINVAL, mount("/proc/self/ns/mnt", at("kept"), NULL, MS_BIND, NULL));
	});
	OK(umount2(at("kept"), 0));
	CHECK(has(at("kept"), ""));
	OK(unlink(at("kept")));
}

static void test_pivot(void)
{
	char buf[256];
	struct stat st;

	OK(mount("root", at("dst"), "tmpfs", 0, ""));
	OK(mkdir(at("dst/old"), 0755));
	OK(mkdir(at("dst/bin"), 0755));
	put(at("dst/hello"), "hello");
	FAILS(EBUSY, pivot_root("/", "/"));
	FAILS(EBUSY, pivot_root(at("src"), at("src/sub")));
	FAILS(EBUSY, pivot_root(at("dst"), at("src")));
	OK(chdir(at("dst")));
	OK(pivot_root(".", "old"));
	CHECK(has("/hello", "hello"));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/"));
	OK(stat("/old/proc/self/status", &st));
	OK(umount2("/old", MNT_DETACH));
	FAILS(ENOENT, stat("/old/proc", &st));
	OK(mkdir("/proc", 0755));
	OK(mount("proc", "/proc", "proc", 0, NULL));
	OK(stat("/proc/self/status", &st));
	CHECK(info("/", buf, sizeof(buf)) && strstr(buf, " - tmpfs root"));
	OK(chdir("/../../.."));
	CHECK(has("hello", "hello"));
}

/* The idiom without a place for the old root. */
static void test_pivot_onto_itself(void)
{
	struct stat st;

	OK(mount("root", at("dst"), "tmpfs", 0, ""));
	put(at("dst/hello"), "again");
	OK(chdir(at("dst")));
	OK(pivot_root(".", "."));
	OK(umount2(".", MNT_DETACH));
	OK(chdir("/"));
	CHECK(has("/hello", "again"));
	FAILS(ENOENT, stat("/proc", &st));
}

static void test_chroot(void)
{
	char buf[256];
	struct stat st;

	OK(mount("/proc", at("dst"), NULL, MS_BIND | MS_REC, NULL));
	OK(chroot(top));
	OK(chdir("/dst"));
	OK(stat("self/status", &st));
	CHECK(has("/src/sub/deep", "deep") && has("../src/sub/deep", "deep") && has("/../../src/sub/deep", "deep"));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/dst"));
	OK(symlink("/src/sub", "/src/abs"));
	CHECK(has("/src/abs/deep", "deep"));
	OK(unlink("/src/abs"));
}

static void clean(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	CHECK(system(command) == 0);
}

int main(void)
{
	if (!privileged()) {
		test_refused();
		return 0;
	}
	CHECK(getcwd(top, 64));
	snprintf(top + strlen(top), 32, "/mounts-%d", getpid());
	OK(mkdir(top, 0755));
	IN_CHILD({
		OK(unshare(CLONE_NEWNS));
		OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		test_tmpfs();
		test_errors();
		test_bind();
		test_rbind();
		test_flags();
		test_filesystems();
		test_stack();
		test_cwd();
		test_shared();
		test_namespaces();
		test_kept_namespace();
		IN_CHILD(OK(unshare(CLONE_NEWNS)); test_pivot());
		IN_CHILD(OK(unshare(CLONE_NEWNS)); test_pivot_onto_itself());
		IN_CHILD(test_chroot());
	});
	clean();
	return 0;
}
