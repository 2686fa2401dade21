/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of a tmpfs and of an overlay that are mounted here; what a write takes from a file. */
#include "own_ns.h"
#include <linux/capability.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static bool in_guest; /* Linux before 6.6 has no user.* on tmpfs */

static bool has_user(const char *path)
{
	if (!in_guest && setxattr(path, "user.try", "", 0, 0) && errno == EOPNOTSUPP)
		return false;
	OK(setxattr(path, "user.try", "", 0, 0));
	OK(removexattr(path, "user.try"));
	return true;
}

static bool is(const char *path, const char *name, const char *want)
{
	char buf[64];
	ssize_t n = getxattr(path, name, buf, sizeof(buf));

	return n == (ssize_t)strlen(want) && !memcmp(buf, want, (size_t)n);
}

static void make(const char *path)
{
	OK(close(OK(open(path, O_CREAT | O_WRONLY, 0644))));
}

static void test_user(const char *path)
{
	static char big[65537];
	char buf[64];
	ssize_t n;

	OK(setxattr(path, "user.one", "value", 5, XATTR_CREATE));
	CHECK(is(path, "user.one", "value"));
	CHECK(getxattr(path, "user.one", NULL, 0) == 5);
	FAILS(ERANGE, getxattr(path, "user.one", buf, 4));
	FAILS(EEXIST, setxattr(path, "user.one", "x", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr(path, "user.two", "x", 1, XATTR_REPLACE));
	FAILS(EINVAL, setxattr(path, "user.two", "x", 1, 4));
	FAILS(E2BIG, setxattr(path, "user.two", big, sizeof(big), 0));
	FAILS(EFAULT, setxattr(path, "user.two", (void *)8, 3, 0));
	OK(setxattr(path, "user.one", "another value", 13, XATTR_REPLACE));
	CHECK(is(path, "user.one", "another value"));
	OK(setxattr(path, "user.two", "", 0, 0));
	CHECK(is(path, "user.two", ""));
	n = OK(listxattr(path, buf, sizeof(buf)));
	CHECK(n == 18 && memmem(buf, 18, "user.one", 9) && memmem(buf, 18, "user.two", 9));
	CHECK(listxattr(path, NULL, 0) == 18);
	FAILS(ERANGE, listxattr(path, buf, 17));
	OK(removexattr(path, "user.two"));
	FAILS(ENODATA, removexattr(path, "user.two"));
	FAILS(ENODATA, getxattr(path, "user.two", buf, 1));
	OK(setxattr(path, "user.big", big, sizeof(big) - 1, 0));
	CHECK(getxattr(path, "user.big", NULL, 0) == 65536);
	OK(removexattr(path, "user.big"));
	OK(removexattr(path, "user.one"));
	CHECK(listxattr(path, buf, sizeof(buf)) == 0);
}

static void test_classes(void)
{
	char buf[64];

	FAILS(EOPNOTSUPP, setxattr("m/file", "nonsense", "x", 1, 0));
	FAILS(EOPNOTSUPP, getxattr("m/file", "nonsense.x", buf, 1));
	FAILS(ERANGE, setxattr("m/file", "", "x", 1, 0));
	FAILS(EPERM, setxattr("m/file", "trusted.x", "x", 1, 0)); /* not by root of a user namespace */
	FAILS(ENODATA, getxattr("m/file", "trusted.x", buf, 1));
	FAILS(ENOENT, getxattr("m/none", "user.x", buf, 1));
	OK(symlink("file", "m/link"));
	FAILS(EPERM, lsetxattr("m/link", "user.x", "x", 1, 0));
	FAILS(ENODATA, lgetxattr("m/link", "user.x", buf, 1));
	OK(unlink("m/link"));
	OK(mkfifo("m/fifo", 0600));
	FAILS(EPERM, setxattr("m/fifo", "user.x", "x", 1, 0));
	OK(unlink("m/fifo"));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	FAILS(EROFS, setxattr("m/file", "user.x", "x", 1, 0));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static void set_caps(const char *path)
{
	struct vfs_cap_data d = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .data[0].permitted = 1 << CAP_NET_RAW };

	OK(setxattr(path, "security.capability", &d, sizeof(d), 0));
}

static bool has_caps(const char *path)
{
	struct vfs_ns_cap_data d = { 0 };
	ssize_t n = getxattr(path, "security.capability", &d, sizeof(d));

	CHECK(n == -1 || (n == XATTR_CAPS_SZ_2 && d.data[0].permitted == 1 << CAP_NET_RAW));
	CHECK(n != -1 || errno == ENODATA);
	return n != -1;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
	return st.st_mode & 07777;
}

/* What makes a file more than its reader can not be somebody else's text. */
static void test_privileges(const char *path)
{
	struct vfs_cap_data d = { .magic_etc = 7 << 24 };

	FAILS(EINVAL, setxattr(path, "security.capability", &d, sizeof(d), 0));
	FAILS(EINVAL, setxattr(path, "security.capability", &d, 5, 0));
	set_caps(path);
	CHECK(has_caps(path));
	OK(chmod(path, 06755));
	CHECK(has_caps(path) && mode_of(path) == 06755);
	put(path, "changed");
	CHECK(!has_caps(path) && mode_of(path) == 0755);
	set_caps(path);
	OK(truncate(path, 3));
	CHECK(!has_caps(path));
	set_caps(path);
	OK(chmod(path, 02745)); /* no group execute: a mark for locking, which stays */
	put(path, "again");
	CHECK(!has_caps(path));
	set_caps(path);
	OK(chown(path, 0, 0));
	CHECK(!has_caps(path));
	set_caps(path);
	OK(removexattr(path, "security.capability"));
	CHECK(!has_caps(path));
}

static void *change(void *arg)
{
	char name[16], text[16];

	snprintf(name, sizeof(name), "user.%ld", (long)arg);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "%d", i);
		OK(setxattr("m/file", name, text, strlen(text), 0));
		CHECK(is("m/file", name, text));
		if (i % 7 == 0)
			OK(removexattr("m/file", name));
	}
	return NULL;
}

static void test_many(void)
{
	pthread_t threads[4];
	char buf[64];

	for (long i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, change, (void *)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(listxattr("m/file", buf, sizeof(buf)) == 4 * 7);
	for (int i = 0; i < 4; i++) {
		snprintf(buf, sizeof(buf), "user.%d", i);
		CHECK(is("m/file", buf, "199"));
		OK(removexattr("m/file", buf));
	}
}

static void test_overlay(bool user)
{
	char buf[256];
	ssize_t n;

	OK(mkdir("m/low", 0755));
	OK(mkdir("m/up", 0755));
	OK(mkdir("m/work", 0755));
	OK(mkdir("m/o", 0755));
	make("m/low/file");
	make("m/low/other");
	set_caps("m/low/file");
	if (user)
		OK(setxattr("m/low/file", "user.low", "low", 3, 0));
	OK(mount("o", "m/o", "overlay", 0, "lowerdir=m/low,upperdir=m/up,workdir=m/work,userxattr"));
	CHECK(has_caps("m/o/file"));
	if (user) {
		CHECK(is("m/o/file", "user.low", "low"));
		FAILS(ENODATA, removexattr("m/o/other", "user.none"));
		CHECK(access("m/up/other", F_OK)); /* nothing was copied for that */
		OK(setxattr("m/o/file", "user.up", "up", 2, 0));
		CHECK(is("m/o/file", "user.up", "up") && is("m/o/file", "user.low", "low") && has_caps("m/o/file"));
		CHECK(is("m/up/file", "user.up", "up") && is("m/up/file", "user.low", "low"));
		FAILS(ENODATA, getxattr("m/low/file", "user.up", buf, 9));
		n = OK(listxattr("m/o/file", buf, sizeof(buf)));
		CHECK(memmem(buf, (size_t)n, "user.low", 9) && !memmem(buf, (size_t)n, "overlay", 7));
		OK(removexattr("m/o/file", "user.low"));
		FAILS(ENODATA, getxattr("m/o/file", "user.low", buf, 9));
		CHECK(is("m/low/file", "user.low", "low"));
	}
	put("m/o/file", "changed");
	CHECK(!has_caps("m/o/file") && has_caps("m/low/file"));
	set_caps("m/o/other");
	CHECK(has_caps("m/o/other") && !has_caps("m/low/other"));
	OK(umount("m/o"));
}

int main(void)
{
	bool user;

	in_guest = getpid() == 1;
	become_root(0);
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", 0, NULL));
	make("m/file");
	OK(mkdir("m/dir", 0755));
	user = has_user("m/file");
	if (user) {
		test_user("m/file");
		test_user("m/dir");
		test_many();
	}
	test_classes();
	test_privileges("m/file");
	test_overlay(user);
	OK(umount("m"));
	OK(rmdir("m"));
	return 0;
}
