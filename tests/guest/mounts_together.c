/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about mounts and namespaces made by several at the same moment. */
#include "own_ns.h"
#include "together.h"
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define ROUNDS 20
#define CREATE 6 /* FSCONFIG_CMD_CREATE */
#define SET_STRING 1
#define F_EMPTY 4
#define CLONE_TREE 1
#define ATTR_RDONLY 1

static int uts[KIN];

/* How many lines of mountinfo have this in them. */
static int lines_with(const char *text)
{
	FILE *f = fopen("/proc/thread-self/mountinfo", "r");
	char line[4096];
	int n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static const char *own(char *room, const char *what, long me)
{
	snprintf(room, 64, "/tmp/%s%ld", what, me);
	return room;
}

/*
 * All of them upon one directory. Who has found a mount that another takes away is told so. An unmount takes away what was uppermost
 * a moment ago, and what has been mounted upon it since.
 */
static void *stack(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		struct stat st;

		while (mount("stacked", "/tmp/at", "tmpfs", 0, "size=16k") == -1)
			CHECK(errno == ENOENT || errno == EINVAL);
		OK(stat("/tmp/at", &st));
		CHECK(S_ISDIR(st.st_mode));
		if (umount2("/tmp/at", MNT_DETACH) == -1)
			CHECK(errno == EINVAL);
	}
	return NULL;
}

/* One directory bound to places of each one's own, made read-only there, moved, unmounted. */
static void *bind_and_move(void *arg)
{
	char from[64], to[64], file[80];
	long me = (long)arg;

	OK(mkdir(own(from, "from", me), 0700));
	OK(mkdir(own(to, "to", me), 0700));
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(mount("/tmp/src", from, NULL, MS_BIND, NULL));
		OK(mount(NULL, from, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
		OK(mount(from, to, NULL, MS_MOVE, NULL));
		snprintf(file, sizeof(file), "%s/made%ld", to, me);
		FAILS(EROFS, open(file, O_CREAT | O_WRONLY, 0600));
		snprintf(file, sizeof(file), "/tmp/src/made%ld", me);
		close(OK(open(file, O_CREAT | O_WRONLY, 0600)));
		OK(unlink(file));
		OK(umount2(to, MNT_DETACH));
		FAILS(EINVAL, umount2(to, 0));
	}
	return NULL;
}

/* Mounts by descriptors, that are nowhere until they are put somewhere. */
static void *by_descriptor(void *arg)
{
	struct { uint64_t set, clr, propagation, userns_fd; } attr = { .set = ATTR_RDONLY };
	char place[64], file[80];
	long me = (long)arg;

	OK(mkdir(own(place, "fd", me), 0700));
	snprintf(file, sizeof(file), "%s/x", place);
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		int fs = (int)OK(syscall(SYS_fsopen, "tmpfs", 0)), mnt, copy;

		OK(syscall(SYS_fsconfig, fs, SET_STRING, "size", "64k", 0));
		OK(syscall(SYS_fsconfig, fs, CREATE, NULL, NULL, 0));
		mnt = (int)OK(syscall(SYS_fsmount, fs, 0, 0));
		close(fs);
		OK(syscall(SYS_move_mount, mnt, "", AT_FDCWD, place, F_EMPTY));
		copy = (int)OK(syscall(SYS_open_tree, AT_FDCWD, place, CLONE_TREE));
		OK(syscall(SYS_mount_setattr, AT_FDCWD, place, 0, &attr, sizeof(attr)));
		FAILS(EROFS, open(file, O_CREAT | O_WRONLY, 0600));
		close(OK(openat(copy, "x", O_CREAT | O_WRONLY, 0600)));
		close(OK(open(file, O_RDONLY)));
		close(copy);
		close(mnt);
		OK(umount2(place, MNT_DETACH));
	}
	return NULL;
}

/* A mount namespace and a root of each thread's own. */
static void *pivot(void *arg)
{
	char place[64], old[80];
	long me = (long)arg;
	struct stat st;

	OK(mkdir(own(place, "root", me), 0700));
	pthread_barrier_wait(&start);
	OK(unshare(CLONE_NEWNS | CLONE_FS));
	OK(mount("rooted", place, "tmpfs", 0, NULL));
	snprintf(old, sizeof(old), "%s/old", place);
	OK(mkdir(old, 0700));
	OK(chdir(place));
	OK(syscall(SYS_pivot_root, ".", "old"));
	OK(chdir("/"));
	snprintf(old, sizeof(old), "/old%s", place);
	OK(stat(old, &st));
	OK(umount2("/old", MNT_DETACH));
	FAILS(ENOENT, stat(old, &st));
	OK(rmdir("/old"));
	pthread_barrier_wait(&start);
	FAILS(ENOENT, stat("/tmp", &st));
	return NULL;
}

/* Names of hosts: each thread in the namespace of one after the other. */
static void *enter(void *arg)
{
	char name[64], path[64];
	struct utsname u;
	long me = (long)arg;

	OK(unshare(CLONE_NEWUTS));
	snprintf(name, sizeof(name), "host%ld", me);
	OK(sethostname(name, strlen(name)));
	OK(setdomainname(name, strlen(name)));
	snprintf(path, sizeof(path), "/proc/self/task/%ld/ns/uts", syscall(SYS_gettid));
	uts[me] = OK(open(path, O_RDONLY));
	pthread_barrier_wait(&start);
	for (long i = me; i < me + ROUNDS; i++) {
		OK(setns(uts[i % KIN], CLONE_NEWUTS));
		OK(uname(&u));
		snprintf(name, sizeof(name), "host%ld", i % KIN);
		CHECK(!strcmp(u.nodename, name) && !strcmp(u.domainname, name));
	}
	return NULL;
}

/* New namespaces of every kind, made while others make theirs. */
static void *leave(void *arg)
{
	static const int kinds[] = { CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS | CLONE_FS };
	static const char *const names[] = { "uts", "ipc", "net", "mnt" };
	char path[64];
	struct stat before, after;

	pthread_barrier_wait(&start);
	for (long i = (long)arg; i < (long)arg + 8; i++) {
		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", names[i % 4]);
		OK(stat(path, &before));
		OK(unshare(kinds[i % 4]));
		OK(stat(path, &after));
		CHECK(before.st_ino != after.st_ino);
	}
	return NULL;
}

int main(void)
{
	IN_CHILD({
		become_root(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
		OK(mount("place", "/tmp", "tmpfs", 0, NULL));
		OK(mkdir("/tmp/at", 0700));
		OK(mkdir("/tmp/src", 0700));
		each(stack);
		while (umount2("/tmp/at", 0) == 0)
			;
		CHECK(errno == EINVAL && !lines_with(" - tmpfs stacked "));
		each(bind_and_move);
		each(by_descriptor);
		CHECK(lines_with(" /tmp") == 1);
		each(pivot);
		CHECK(!lines_with("rooted"));
		each(enter);
		each(leave);
	});
	return 0;
}
