/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of mounts and its namespaces: what is left when they are gone, and walks while they come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/sched.h>

#include "harness.h"
#include "mnt_ns.h"

#define CWD	   ((u64)(s64)AT_FDCWD)
#define MNT_DETACH 2

static long mount(const char *source, const char *at, const char *type, u64 flags)
{
	return sc(__NR_mount, ustr(source), ustr(at), type ? ustr(type) : 0, flags, 0);
}

static long umount(const char *at, int flags)
{
	return sc(__NR_umount2, ustr(at), flags);
}

static long open_at(const char *path, u32 flags)
{
	return sc(__NR_openat, CWD, ustr(path), flags, 0644);
}

static void make(const char *path)
{
	long fd = open_at(path, O_CREAT | O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_close, fd), 0);
}

static long there(const char *path)
{
	long fd = open_at(path, O_RDONLY);

	if (fd >= 0)
		CHECK_EQ(sc(__NR_close, fd), 0);
	return fd >= 0 ? 1 : fd;
}

static u32 namespaces(void)
{
	struct mnt_ns *ns;
	u32 n = 0;

	guard(&mounts_lock);
	list_for_each(ns, &mnt_namespaces, node)
		n++;
	return n;
}

/* On host directories and on guest ones, over each other; all is gone in the end. */
VM_TEST(stacks)
{
	static const char *const places[] = {"/place", "/tmp/place"};
	u32 before = boot_ns.n;

	for (int i = 0; i < 2; i++) {
		char file[64], sub[64];

		snprintf(file, sizeof(file), "%s/f", places[i]);
		snprintf(sub, sizeof(sub), "%s/sub", places[i]);
		CHECK_EQ(sc(__NR_mkdir, ustr(places[i]), 0755), 0);
		make(file);
		CHECK_EQ(mount("a", places[i], "tmpfs", 0), 0);
		CHECK_EQ(there(file), -ENOENT);
		CHECK_EQ(sc(__NR_mkdir, ustr(sub), 0755), 0);
		CHECK_EQ(mount("/", sub, NULL, MS_BIND | MS_REC), 0);
		CHECK_EQ(mount("b", places[i], "tmpfs", 0), 0);
		CHECK_EQ(there(sub), -ENOENT);
		CHECK_EQ(boot_ns.n, 2 * before + 3); /* rbind: all that there was, the first tmpfs, too */
		CHECK_EQ(umount(places[i], 0), 0);
		CHECK_EQ(umount(places[i], 0), -EBUSY);
		CHECK_EQ(umount(places[i], MNT_DETACH), 0);
		CHECK_EQ(there(file), 1);
		CHECK_EQ(boot_ns.n, before);
	}
}

/* An instance lives as long as a mount, an open file or a working directory of it does. */
VM_TEST(last_users)
{
	uaddr_t buf = ualloc(4096);
	long fd;

	CHECK_EQ(sc(__NR_mkdir, ustr("/a"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/b"), 0755), 0);
	CHECK_EQ(mount("m", "/a", "tmpfs", 0), 0);
	make("/a/f");
	CHECK_EQ(mount("/a", "/b", NULL, MS_BIND), 0);
	CHECK_EQ(umount("/a", 0), 0);
	CHECK_EQ(there("/b/f"), 1);
	fd = open_at("/b/f", O_RDWR);
	CHECK_EQ(sc(__NR_chdir, ustr("/b")), 0);
	CHECK_EQ(umount("/b", 0), -EBUSY);
	CHECK_EQ(umount("/b", MNT_DETACH), 0);
	CHECK_EQ(sc(__NR_write, fd, ustr("text"), 4), 4);
	CHECK_EQ(there("f"), 1);
	CHECK_EQ(there("../a"), -ENOENT);
	make("g");
	CHECK_EQ(sc(__NR_getcwd, buf, 4096), -ENOENT);
	CHECK_EQ(sc(__NR_chdir, ustr("/")), 0);
	CHECK_EQ(sc(__NR_pread64, fd, buf, 4, 0), 4);
	CHECK_EQ(sc(__NR_close, fd), 0);
}

static int private(void *arg)
{
	CHECK_EQ(sc(__NR_unshare, CLONE_NEWNS), 0);
	CHECK_EQ(namespaces(), 2);
	CHECK_EQ(mount("m", "/place", "tmpfs", 0), 0);
	make("/place/mine");
	CHECK_EQ(sc(__NR_chdir, ustr("/place")), 0);
	CHECK_EQ(sc(__NR_pivot_root, ustr("."), ustr(".")), 0);
	CHECK_EQ(umount(".", MNT_DETACH), 0);
	CHECK_EQ(there("/mine"), 1);
	CHECK_EQ(there("/dev/null"), -ENOENT);
	return 0;
}

VM_TEST(namespaces_end)
{
	u32 before = boot_ns.n;

	CHECK_EQ(sc(__NR_mkdir, ustr("/place"), 0755), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(wait_status(fork_run(private, NULL)), 0);
		CHECK_EQ(namespaces(), 1);
		CHECK_EQ(boot_ns.n, before);
		CHECK_EQ(there("/place/mine"), -ENOENT);
		CHECK_EQ(there("/dev/null"), 1);
	}
}

static volatile bool stop;

static int walker(void *arg)
{
	while (!stop) {
		long r = there("/place/sub/../sub/f");

		CHECK(r == 1 || r == -ENOENT);
		r = there("/link/f");
		CHECK(r == 1 || r == -ENOENT);
		CHECK_EQ(there("/proc/self/mountinfo"), 1);
		if (!sc(__NR_unshare, CLONE_NEWNS) && arg)
			CHECK_EQ(mount("w", "/other", "tmpfs", 0), 0);
	}
	return 0;
}

/* Walks, copies of the tree and mountinfo against a tree that changes. */
VM_TEST(changes)
{
	long pids[2];

	CHECK_EQ(sc(__NR_mkdir, ustr("/place"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/other"), 0755), 0);
	CHECK_EQ(sc(__NR_symlink, ustr("place/sub"), ustr("/link")), 0);
	CHECK_EQ(mount("none", "/place", "tmpfs", 0), 0);
	CHECK_EQ(sc(__NR_mount, 0, ustr("/place"), 0, MS_SHARED, 0), 0);
	for (int i = 0; i < 2; i++)
		pids[i] = fork_run(walker, i ? &pids : NULL);
	for (int i = 0; i < 60; i++) {
		sc(__NR_mkdir, ustr("/place/sub"), 0755); /* stays there from the first time on */
		CHECK_EQ(mount("inner", "/place/sub", "tmpfs", 0), 0);
		make("/place/sub/f");
		CHECK_EQ(mount("/place/sub", "/tmp", NULL, MS_BIND), 0);
		CHECK_EQ(umount("/place/sub", MNT_DETACH), 0);
		CHECK_EQ(umount("/tmp", MNT_DETACH), 0);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(wait_status(pids[i]), 0);
	CHECK_EQ(namespaces(), 1);
}

static void lay(const char *at, const char *options)
{
	CHECK_EQ(sc(__NR_mount, ustr("o"), ustr(at), ustr("overlay"), 0, ustr(options)), 0);
}

/* Layers of the host and of a tmpfs; what is open outlives the mounts; whoever changes names at a time finds them whole. */
static int change_names(void *arg)
{
	const char *mine = arg;

	for (int i = 0; i < 100; i++) {
		char name[64];
		long fd;

		snprintf(name, sizeof(name), "/m/d/%s%d", mine, i % 3);
		fd = open_at(name, O_CREAT | O_WRONLY);
		CHECK(fd >= 0);
		CHECK_EQ(sc(__NR_write, fd, ustr("text"), 4), 4);
		CHECK_EQ(sc(__NR_close, fd), 0);
		CHECK_EQ(sc(__NR_rename, ustr(name), ustr(mine[0] == 'a' ? "/m/d/A" : "/m/d/B")), 0);
		there("/m/d/A");
		CHECK_EQ(sc(__NR_chmod, ustr("/m/d/low"), 0600), 0);
		if (mine[0] == 'a')
			sc(__NR_unlink, ustr("/m/d/A"));
	}
	return 0;
}

VM_TEST(overlays)
{
	uaddr_t buf = ualloc(4096);
	long fd, pids[2];

	CHECK_EQ(sc(__NR_mkdir, ustr("/m"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/t"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/low"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/low/d"), 0755), 0);
	make("/low/d/low");
	CHECK_EQ(mount("m", "/t", "tmpfs", 0), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/t/up"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr("/t/work"), 0755), 0);
	lay("/m", "lowerdir=/low,upperdir=/t/up,workdir=/t/work");
	CHECK_EQ(there("/m/d/low"), 1);
	pids[0] = fork_run(change_names, (void *)"a");
	pids[1] = fork_run(change_names, (void *)"b");
	CHECK_EQ(wait_status(pids[0]), 0);
	CHECK_EQ(wait_status(pids[1]), 0);
	CHECK_EQ(there("/m/d/B"), 1);
	CHECK_EQ(there("/low/d/B"), -ENOENT);
	CHECK_EQ(sc(__NR_rename, ustr("/m/d"), ustr("/m/e")), -EXDEV);
	CHECK_EQ(sc(__NR_rmdir, ustr("/m/d")), -ENOTEMPTY);
	CHECK_EQ(sc(__NR_unlink, ustr("/m/d/low")), 0);
	CHECK_EQ(there("/m/d/low"), -ENOENT);
	CHECK_EQ(there("/low/d/low"), 1);
	fd = open_at("/m/d/B", O_RDWR);
	CHECK_EQ(sc(__NR_chdir, ustr("/m/d")), 0);
	CHECK_EQ(umount("/m", 0), -EBUSY);
	CHECK_EQ(umount("/m", MNT_DETACH), 0);
	CHECK_EQ(umount("/t", MNT_DETACH), 0);
	make("more");
	CHECK_EQ(there("more"), 1);
	CHECK_EQ(there("B"), 1);
	CHECK_EQ(sc(__NR_chdir, ustr("/")), 0);
	CHECK_EQ(sc(__NR_pread64, fd, buf, 4, 0), 4);
	CHECK_EQ(sc(__NR_close, fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks),	   cmocka_unit_test(last_users),
		cmocka_unit_test(namespaces_end),  cmocka_unit_test(changes),
		cmocka_unit_test(overlays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
