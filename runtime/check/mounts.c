// SPDX-License-Identifier: Apache-2.0
/* Namespaces and mounts: each is tried in a child with namespaces of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/check.h"
#include "lib/fs.h"

int check_in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return ECHILD;
	return WEXITSTATUS(status);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? errno : -fs_write_all(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return ret;
}

/* A user namespace in which the caller is root. */
static int new_user_namespace(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[32];
	int ret;

	if (unshare(CLONE_NEWUSER))
		return errno;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	ret = write_file("/proc/self/uid_map", map);
	if (!ret)
		ret = write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return ret ? ret : write_file("/proc/self/gid_map", map);
}

static int new_mount_namespace(void)
{
	int ret = geteuid() ? new_user_namespace() : 0;

	if (ret)
		return ret;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return errno;
	return 0;
}

static int try_namespaces(void)
{
	int ret = new_user_namespace();

	if (ret)
		return ret;
	return unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		       CLONE_NEWCGROUP) ? errno : 0;
}

static int try_mount_api(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV };
	int ret = new_mount_namespace();
	int fs, fd;

	if (ret)
		return ret;
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return errno;
	if (move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
		return errno;
	/* all of it: an ordinary user may not look under mounts that are not his */
	return open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC) < 0 ? errno : 0;
}

/* A descriptor of a user namespace that maps 0 to 1000; its only process ends with it. */
static int other_user_namespace(void)
{
	char path[64];
	int fd;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	if (pid < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_file(path, "0 1000 1");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_file(path, "0 1000 1");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	return fd;
}

static int try_idmapped_mount(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int tree, userns;
	int ret = new_mount_namespace();

	if (ret)
		return ret;
	tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	userns = other_user_namespace();
	if (tree < 0 || userns < 0)
		return errno;
	attr.userns_fd = (unsigned)userns;
	return mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ? errno : 0;
}

void check_mounts(struct report *r)
{
	int ret = check_in_child(try_namespaces);

	if (!ret)
		report(r, "namespaces", CHECK_OK, NULL, "user, pid, mount, network, ipc, uts and cgroup");
	else
		report(r, "namespaces", CHECK_MISSING,
		       "see sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone and "
		       "kernel.apparmor_restrict_unprivileged_userns",
		       "%s", strerrordesc_np(ret));
	ret = check_in_child(try_mount_api);
	if (!ret)
		report(r, "mount API", CHECK_OK, NULL, "fsopen, fsmount, move_mount, open_tree, mount_setattr");
	else
		report(r, "mount API", CHECK_MISSING, "allow the calls, if an outer sandbox forbids them",
		       "%s", strerrordesc_np(ret));
	if (geteuid())
		return; /* idmapped mounts are root's */
	ret = check_in_child(try_idmapped_mount);
	if (!ret)
		report(r, "idmapped mounts", CHECK_OK, NULL, "on the file system of /");
	else
		report(r, "idmapped mounts", CHECK_WARNING,
		       "use a newer kernel or another file system, if volumes need mappings",
		       "not on the file system of /: %s", strerrordesc_np(ret));
}
