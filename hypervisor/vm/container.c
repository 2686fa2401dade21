// SPDX-License-Identifier: Apache-2.0
#include "vm/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"
#include "vm/mounts.h"
#include "vm/namespaces.h"
#include "vm/throwaway.h"

/*
 * A procfs of the hypervisor's own: no mount of it is left in the container. Only the
 * processes' part, for "self/fd/N": the host's tunables have no business here.
 */
static int open_proc(struct error *err)
{
	return mounts_new_fs("proc", "proc", "subset=pid",
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
}

/* What the guest's /proc tells of the machine: memory, load, the network namespace's values. */
static int open_info(struct error *err)
{
	return mounts_new_fs("proc", "proc", "",
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
}

/*
 * What the host mounts later may appear in the container, never the other way round. The
 * configuration may ask for less (private) or, after the pivot, for more.
 */
static int isolate_mounts(const struct oci_spec *spec, struct error *err)
{
	unsigned long flags = MS_SLAVE | MS_REC;

	if (spec->linux_.rootfs_propagation & (MS_PRIVATE | MS_UNBINDABLE))
		flags = MS_PRIVATE | MS_REC;
	if (mount(NULL, "/", NULL, flags, NULL))
		return error_errno(err, errno, "cannot isolate the mount namespace");
	return 0;
}

/* Makes the tree behind fd the root of this process, and drops everything else. */
static int change_root(int fd, const char *place, struct error *err)
{
	if (move_mount(fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) ||
	    fchdir(fd))
		return error_errno(err, errno, "cannot mount the root file system on %s", place);
	/* stacks the old root on top of the new one: no directory is needed for it */
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return error_errno(err, errno, "cannot change to the root file system");
	return 0;
}

static int set_propagation(const struct oci_spec *spec, struct error *err)
{
	unsigned long flags = spec->linux_.rootfs_propagation;

	/*
	 * Nobody has asked for the host's later mounts in the root file system: without
	 * them the server knows for sure what a name can meet (magic_links_visible()).
	 */
	if (!flags)
		flags = MS_PRIVATE;
	if (!(flags & (MS_SHARED | MS_UNBINDABLE | MS_PRIVATE)))
		return 0;
	if (mount(NULL, "/", NULL, flags, NULL))
		return error_errno(err, errno, "linux.rootfsPropagation");
	return 0;
}

static int enter_root(const struct oci_spec *spec, struct mount_plan *plan,
		      struct container *out, struct error *err)
{
	/* "/" itself can't be mounted upon: then any other place will do, it is left behind */
	const char *place = strcmp(spec->root.path, "/") ? spec->root.path : THROWAWAY_BASE;
	int ret = change_root(plan->rootfd, place, err);

	if (ret)
		return ret;
	out->rootfd = steal_fd(&plan->rootfd);
	ret = mounts_attach(plan, out, err);
	return ret ? ret : set_propagation(spec, err);
}

static int make_mounts(const struct oci_spec *spec, struct container *out, struct error *err)
{
	struct mount_plan *plan;
	int ret;

	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return error_errno(err, ENOMEM, "mounts");
	ret = mounts_prepare(plan, spec, err);
	if (!ret)
		ret = enter_root(spec, plan, out, err);
	mounts_discard(plan);
	free(plan);
	return ret;
}

int container_enter(const struct oci_spec *spec, struct container *out, struct error *err)
{
	/* directories and files made for mount points get the mode they are given */
	mode_t mask = umask(0);
	int ret;

	*out = (struct container){ .rootfd = -1, .procfd = -1, .infofd = -1, .memcg_fd = -1,
				   .cgroups.fd = -1 };
	out->root_readonly = spec->root.readonly;
	out->rootfs = spec->root.path;
	ret = cgroup_open(&out->cgroups, true, err);
	if (!ret)
		ret = cgroup_enter(&out->cgroups, spec->linux_.cgroups_path,
				   &spec->linux_.resources, err);
	if (!ret) {
		out->memcg_fd = cgroup_dir(&out->cgroups, spec->linux_.cgroups_path, "memory");
		ret = namespaces_enter(spec, err);
	}
	if (!ret)
		ret = isolate_mounts(spec, err);
	if (!ret)
		ret = out->procfd = open_proc(err);
	if (ret >= 0)
		ret = out->infofd = open_info(err);
	if (ret >= 0)
		ret = make_mounts(spec, out, err);
	umask(mask);
	return ret < 0 ? ret : 0;
}

int container_cleanup(const char *cgroups_path, struct error *err)
{
	struct cgroup_tree tree;
	int ret = cgroup_open(&tree, false, err);

	if (ret)
		return ret;
	ret = cgroup_destroy(&tree, cgroups_path, err);
	cgroup_close(&tree);
	return ret;
}

unsigned long container_oom_kills(const char *cgroups_path)
{
	cleanup_close int dir = -1;
	struct cgroup_tree tree;
	struct error ignored;
	unsigned long kills;

	if (cgroup_open(&tree, false, &ignored))
		return 0;
	dir = cgroup_dir(&tree, cgroups_path, "memory");
	kills = cgroup_oom_kills(dir);
	cgroup_close(&tree);
	return kills;
}

int container_leave(const struct container *c, const char *cgroups_path, struct error *err)
{
	return cgroup_leave(&c->cgroups, cgroups_path, err);
}

const struct container_mount *container_guest_mount(const struct container *c, dev_t dev)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (dev && c->mounts[i].marker_dev == dev)
			return &c->mounts[i];
	}
	return NULL;
}
