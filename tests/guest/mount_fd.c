/* SPDX-License-Identifier: Apache-2.0 */
/* The calls for mounts by descriptors: fsopen, fsconfig, fsmount, fspick, open_tree, move_mount, mount_setattr. */
#include "own_ns.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

enum { SET_FLAG, SET_STRING, SET_BINARY, SET_PATH, SET_PATH_EMPTY, SET_FD, CREATE, CHANGE };
#define ATTR_RDONLY 1
#define ATTR_NOSUID 2
#define ATTR_NODEV 4
#define ATTR_NOATIME 0x10
#define ATTR_ATIME 0x70
#define F_EMPTY 4
#define CLONE_TREE 1
#define RECURSIVE 0x8000

struct attr {
	uint64_t set, clr, propagation, userns_fd;
};

static int fsopen_(const char *type, unsigned flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static int config(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

static int fsmount_(int fd, unsigned flags, unsigned attr)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr);
}

static int tree(const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

static int move(int fd, const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_move_mount, fd, from, AT_FDCWD, to, flags);
}

static int set(const char *path, unsigned flags, struct attr a)
{
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &a, sizeof(a));
}

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	return fd < 0 ? -1 : close(fd);
}

static void test_refusals(void)
{
	FAILS(EPERM, fsopen_("tmpfs", 0));
	FAILS(EPERM, fsmount_(-1, 0, 0));
	FAILS(EPERM, syscall(SYS_fspick, AT_FDCWD, "/", 0));
	FAILS(EPERM, tree("/", CLONE_TREE));
	FAILS(EPERM, move(AT_FDCWD, "/", "/", 0));
	FAILS(EPERM, set("/", 0, (struct attr){ .set = ATTR_RDONLY }));
	OK(close(OK(tree("/", O_CLOEXEC))));
}

/* A file system, mounted nowhere. */
static int test_new(void)
{
	int fd = OK(fsopen_("tmpfs", 1)), m;
	char message[64];

	FAILS(ENODEV, fsopen_("no-such-type", 0));
	FAILS(EINVAL, fsopen_("tmpfs", 2));
	FAILS(EFAULT, fsopen_((char *)8, 0));
	FAILS(EINVAL, config(-1, SET_FLAG, "ro", NULL, 0));
	FAILS(EBADF, config(999, SET_FLAG, "ro", NULL, 0));
	FAILS(EINVAL, config(0, SET_FLAG, "ro", NULL, 0));
	FAILS(EINVAL, config(fd, SET_FLAG, NULL, NULL, 0));
	FAILS(EINVAL, config(fd, SET_FLAG, "ro", "x", 0));
	FAILS(EINVAL, config(fd, SET_STRING, "size", NULL, 0));
	FAILS(EINVAL, config(fd, CREATE, "x", NULL, 0));
	FAILS(EOPNOTSUPP, config(fd, 99, NULL, NULL, 0));
	FAILS(EINVAL, config(fd, SET_STRING, "nonsense", "1", 0));
	while (read(fd, message, sizeof(message)) > 0) /* what was wrong, in words */
		;
	CHECK(errno == ENODATA);
	OK(config(fd, SET_STRING, "source", "mine", 0));
	FAILS(EINVAL, config(fd, SET_STRING, "source", "mine", 0));
	OK(config(fd, SET_STRING, "size", "1m", 0));
	OK(config(fd, SET_STRING, "mode", "0751", 0));
	FAILS(EINVAL, fsmount_(fd, 0, 0)); /* there is none yet */
	FAILS(EBUSY, config(fd, CHANGE, NULL, NULL, 0));
	OK(config(fd, CREATE, NULL, NULL, 0));
	FAILS(EBUSY, config(fd, CREATE, NULL, NULL, 0));
	FAILS(EINVAL, fsmount_(fd, 2, 0));
	FAILS(EINVAL, fsmount_(fd, 0, 1u << 30));
	FAILS(EINVAL, fsmount_(fd, 0, 0x30));
	m = OK(fsmount_(fd, 1, ATTR_NOSUID | ATTR_NODEV));
	FAILS(EBUSY, fsmount_(fd, 1, 0));
	FAILS(EBADF, fsmount_(999, 1, 0));
	CHECK(fcntl(m, F_GETFD) == FD_CLOEXEC);
	OK(close(fd));
	return m;
}

static void test_move(int m)
{
	struct statfs s;
	struct stat st;
	int fd = OK(openat(m, "inside", O_CREAT | O_WRONLY, 0600));

	OK(close(fd));
	FAILS(EINVAL, move(m, "", "m", 1u << 20));
	FAILS(ENOENT, move(m, "", "m", 0));
	FAILS(ENOENT, move(m, "", "none", F_EMPTY));
	FAILS(EINVAL, move(AT_FDCWD, "m", "m2", 0)); /* nothing is mounted there */
	OK(move(m, "", "m", F_EMPTY));
	CHECK(!access("m/inside", F_OK));
	OK(statfs("m", &s));
	CHECK((s.f_flags & (2 /* NOSUID */ | 4 /* NODEV */)) == 6 && s.f_blocks * (unsigned long)s.f_bsize == 1 << 20);
	OK(stat("m", &st));
	CHECK((st.st_mode & 07777) == 0751);
	OK(move(AT_FDCWD, "m", "m2", 0));
	CHECK(access("m/inside", F_OK) && !access("m2/inside", F_OK));
	OK(move(m, "", "m", F_EMPTY)); /* by its descriptor as well */
	CHECK(!access("m/inside", F_OK));
	OK(close(m));
}

static void test_trees(void)
{
	int t;

	FAILS(EINVAL, tree("m", 2));
	FAILS(EINVAL, tree("m", RECURSIVE));
	FAILS(ENOENT, tree("none", CLONE_TREE));
	t = OK(tree("m", CLONE_TREE | RECURSIVE | O_CLOEXEC));
	CHECK(!faccessat(t, "inside", F_OK, 0));
	OK(syscall(SYS_mount_setattr, t, "", AT_EMPTY_PATH, &(struct attr){ .set = ATTR_RDONLY }, sizeof(struct attr)));
	OK(move(t, "", "m2", F_EMPTY));
	CHECK(!access("m2/inside", F_OK));
	FAILS(EROFS, make("m2/x"));
	OK(make("m/x"));
	CHECK(!access("m2/x", F_OK));
	OK(close(t));
	OK(umount2("m2", 0));
	t = OK(tree("m", CLONE_TREE)); /* and one that is never mounted */
	OK(close(t));
	CHECK(access("m2/x", F_OK));
}

static void test_attributes(void)
{
	struct attr a = { .set = ATTR_RDONLY };
	char big[sizeof(struct attr) + 8] = { ATTR_RDONLY };
	int fd;

	FAILS(EINVAL, syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &a, 8));
	FAILS(E2BIG, syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &a, 1 << 20));
	big[sizeof(big) - 1] = 1;
	FAILS(E2BIG, syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, big, sizeof(big)));
	FAILS(EINVAL, set("m", 1u << 30, a));
	FAILS(EINVAL, set("m", 0, (struct attr){ .set = 1u << 30 }));
	FAILS(EINVAL, set("m", 0, (struct attr){ .set = ATTR_NOATIME }));
	FAILS(EINVAL, set("m", 0, (struct attr){ .clr = ATTR_NOATIME }));
	FAILS(EINVAL, set("m", 0, (struct attr){ .propagation = MS_SHARED | MS_SLAVE }));
	FAILS(EINVAL, set("m/inside", 0, a));
	FAILS(ENOENT, set("none", 0, a));
	OK(set("none", 0, (struct attr){ 0 }));
	fd = OK(open("m/inside", O_WRONLY));
	FAILS(EBUSY, set("m", 0, a));
	OK(close(fd));
	OK(set("m", RECURSIVE, a));
	FAILS(EROFS, make("m/y"));
	OK(set("m", 0, (struct attr){ .set = ATTR_NOATIME, .clr = ATTR_RDONLY | ATTR_ATIME }));
	OK(make("m/y"));
	OK(set("m", 0, (struct attr){ .propagation = MS_SHARED }));
	OK(set("m", 0, (struct attr){ .propagation = MS_PRIVATE }));
}

static void test_pick(void)
{
	int fd;

	FAILS(EINVAL, syscall(SYS_fspick, AT_FDCWD, "m", 16));
	FAILS(EINVAL, syscall(SYS_fspick, AT_FDCWD, "m/inside", 0));
	FAILS(ENOENT, syscall(SYS_fspick, AT_FDCWD, "none", 0));
	fd = OK((int)syscall(SYS_fspick, AT_FDCWD, "m", 1));
	FAILS(EBUSY, config(fd, CREATE, NULL, NULL, 0));
	OK(config(fd, SET_FLAG, "ro", NULL, 0));
	OK(config(fd, CHANGE, NULL, NULL, 0));
	FAILS(EROFS, make("m/z"));
	OK(close(fd));
}

/* A tree of directories that hold another mount, while it is nowhere and when it is. */
static void test_detached_tree(void)
{
	int t;

	OK(mkdir("there", 0755));
	OK(make("there/file"));
	t = OK(tree(".", CLONE_TREE | RECURSIVE));
	CHECK(!faccessat(t, "there/file", F_OK, 0));
	CHECK(!faccessat(t, "m/inside", F_OK, 0));
	OK(move(t, "", "m2", F_EMPTY));
	CHECK(!access("m2/there/file", F_OK) && !access("m2/m/inside", F_OK));
	FAILS(EBUSY, umount2("m2", 0));
	OK(umount2("m2", MNT_DETACH));
	OK(close(t));
	t = OK(tree(".", CLONE_TREE));
	CHECK(!faccessat(t, "there/file", F_OK, 0));
	CHECK(faccessat(t, "m/inside", F_OK, 0));
	OK(close(t));
	OK(unlink("there/file"));
	OK(rmdir("there"));
}

/* Several at a time make, move and take away mounts, each its own. */
static void *make_many(void *arg)
{
	const char *dir = arg;
	char file[32];

	snprintf(file, sizeof(file), "%s/f", dir);
	for (int i = 0; i < 20; i++) {
		int fd = OK(fsopen_("tmpfs", 1)), m;

		OK(config(fd, CREATE, NULL, NULL, 0));
		m = OK(fsmount_(fd, 1, 0));
		OK(close(fd));
		OK(set("m", 0, (struct attr){ .set = i & 1 ? ATTR_NOSUID : 0, .clr = i & 1 ? 0 : ATTR_NOSUID }));
		if (i % 3)
			OK(move(m, "", dir, F_EMPTY));
		OK(close(m));
		if (!(i % 3))
			continue;
		OK(make(file));
		OK(umount2(dir, 0));
		CHECK(access(file, F_OK));
	}
	return NULL;
}

static void test_many(void)
{
	static char *const dirs[] = { "p", "q", "r" };
	pthread_t threads[3];

	for (int i = 0; i < 3; i++) {
		OK(mkdir(dirs[i], 0755));
		CHECK(!pthread_create(&threads[i], NULL, make_many, dirs[i]));
	}
	for (int i = 0; i < 3; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		OK(rmdir(dirs[i]));
	}
}

int main(void)
{
	if (geteuid())
		return 0;
	IN_CHILD({ OK(setuid(12345)); test_refusals(); });
	become_root(0);
	OK(mkdir("m", 0755));
	OK(mkdir("m2", 0755));
	test_move(test_new());
	test_trees();
	test_detached_tree();
	test_many();
	test_attributes();
	test_pick();
	OK(umount2("m", 0));
	OK(rmdir("m"));
	OK(rmdir("m2"));
	return 0;
}
