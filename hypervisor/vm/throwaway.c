// SPDX-License-Identifier: Apache-2.0
#include "vm/throwaway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "vm/mounts.h"

/*
 * The base must be attached: an overlay refuses layers which aren't in the caller's mount
 * namespace. Any directory every host has will do, its own content is not needed
 * any more.
 */
int throwaway_init(struct error *err)
{
	cleanup_close int fd = mounts_new_fs("tmpfs", "throwaway", "mode=0755", 0, err);

	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, THROWAWAY_BASE, MOVE_MOUNT_F_EMPTY_PATH))
		return error_errno(err, errno, "cannot mount the writable layer");
	return 0;
}

/* The upper layer's root is what the container sees as the mode and owner of the place. */
static int make_layer(const char *lower, const char *upper, const char *work, const char *dir)
{
	struct stat st;

	if (stat(lower, &st) || mkdir(dir, 0700) || mkdir(work, 0700) || mkdir(upper, 0700))
		return -errno;
	/* an owner without an id in our user namespace can't be given: then it is the container's root */
	if (chown(upper, st.st_uid, st.st_gid) && errno != EINVAL && errno != EPERM)
		return -errno;
	if (chmod(upper, st.st_mode & 07777))
		return -errno;
	return 0;
}

static int configure(int fs, const char *lower, const char *upper, const char *work)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "callgate", 0) ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower, 0) ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", upper, 0) ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "workdir", work, 0))
		return -errno;
	/* in a user namespace the overlay may not write its own attributes. Older kernels' tmpfs has no such ones. */
	if (geteuid())
		(void)fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
	/* nothing here outlives a crash: no sync. Older kernels don't have it. */
	(void)fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
	/* One device number for all files, as in any other root file system: du -x and find -xdev go by it. */
	(void)fsconfig(fs, FSCONFIG_SET_STRING, "xino", "on", 0);
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
}

int throwaway_overlay(const char *lower, unsigned int number, struct error *err)
{
	cleanup_close int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char dir[64];
	char upper[80];
	char work[80];
	int ret;

	if (fs < 0)
		return error_errno(err, errno, "overlay file system");
	snprintf(dir, sizeof(dir), THROWAWAY_BASE "/%u", number);
	snprintf(upper, sizeof(upper), "%s/upper", dir);
	snprintf(work, sizeof(work), "%s/work", dir);
	ret = make_layer(lower, upper, work, dir);
	if (!ret)
		ret = configure(fs, lower, upper, work);
	if (ret)
		return error_errno(err, -ret, "cannot put a writable layer over %s", lower);
	ret = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	return ret < 0 ? error_errno(err, errno, "cannot put a writable layer over %s", lower)
		       : ret;
}
