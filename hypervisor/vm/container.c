// SPDX-License-Identifier: Apache-2.0
#include "vm/container.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "oci/mempolicy.h"
#include "vm/mounts.h"
#include "vm/namespaces.h"
#include "vm/throwaway.h"
#include "vm/userns.h"

/*
 * The host's own /proc, where no other can be mounted: in a user namespace that does not own the
 * pid namespace. There is nothing in it that the user who started us could not read anyway.
 */
static int borrow_proc(uint64_t attrs, struct error *err)
{
	cleanup_close int fd = open_tree(AT_FDCWD, "/proc",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	int ret;

	if (fd < 0)
		return error_errno(err, errno, "/proc");
	ret = attrs ? mounts_set_attrs(fd, true, attrs, 0, 0) : 0;
	return ret ? error_errno(err, -ret, "/proc") : steal_fd(&fd);
}

/*
 * A procfs of the hypervisor's own: no mount of it is left in the container. Only the
 * processes' part, for "self/fd/N": the host's tunables have no business here.
 */
static int open_proc(struct error *err)
{
	int fd = mounts_new_fs("proc", "proc", "subset=pid", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	return fd == -EPERM ? borrow_proc(0, err) : fd;
}

/* What the guest's /proc tells of the machine: memory, load, the network namespace's values. */
static int open_info(struct error *err)
{
	int fd = mounts_new_fs("proc", "proc", "",
			       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	return fd == -EPERM ? borrow_proc(MOUNT_ATTR_RDONLY, err) : fd;
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

/*
 * A ramfs can't be left by pivot_root(): the working directory's mount goes on top of it. ".." at the top
 * leads nowhere, and new mount namespaces begin on top as well.
 */
static int cover_root(struct error *err)
{
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return error_errno(err, errno, "cannot move the root file system to /");
	return 0;
}

/*
 * A mount that is nowhere makes the host kernel wait for all CPUs when its descriptor is closed: 0.1 ms for each at the end of
 * the hypervisor. Put into the old root they are unmounted along with it, at the price of one such wait; they stay what
 * they are for who has them open, and ".." leads out of none. Trees of mounts would fall apart, and in a user namespace the
 * old root's mounts are not ours to unmount one by one: there they stay nowhere.
 */
static int leave_with_root(const struct container *c, struct error *err)
{
	const int fds[] = { c->procfd, c->infofd, c->state_fd, c->states_fd, c->cgroups.unified ? c->cgroups.fd : -1,
			    c->cgroups.unified ? c->cgroups_fd : -1 };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] < 0)
			continue;
		/* a copy of a shared mount is one of its peers: what is mounted on it, as the root is next, would show on the host */
		if (mounts_set_attrs(fds[i], false, 0, 0, MS_PRIVATE) ||
		    move_mount(fds[i], "", AT_FDCWD, THROWAWAY_BASE, MOVE_MOUNT_F_EMPTY_PATH))
			return error_errno(err, errno, "cannot mount what the hypervisor keeps of the host");
	}
	return 0;
}

/*
 * Makes the tree behind fd the root of this process, and drops everything else. The place is one
 * that everybody can reach, which need not hold for the root file system's own; it is left behind.
 */
static int change_root(int fd, bool no_pivot, struct error *err)
{
	if (move_mount(fd, "", AT_FDCWD, THROWAWAY_BASE, MOVE_MOUNT_F_EMPTY_PATH) || fchdir(fd))
		return error_errno(err, errno, "cannot mount the root file system");
	if (no_pivot)
		return cover_root(err);
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

static int enter_root(const struct oci_spec *spec, bool in_user, struct mount_plan *plan,
		      struct container *out, struct error *err)
{
	int ret = in_user || spec->no_pivot ? 0 : leave_with_root(out, err);

	if (!ret)
		ret = change_root(plan->rootfd, spec->no_pivot, err);
	if (ret)
		return ret;
	out->rootfd = steal_fd(&plan->rootfd);
	ret = mounts_attach(plan, out, err);
	return ret ? ret : set_propagation(spec, err);
}

static int enter_cgroup(const struct oci_spec *spec, bool in_unified, struct container *out, struct error *err)
{
	int ret = cgroup_open(&out->cgroups, true, err);

	if (!ret)
		ret = cgroup_enter(&out->cgroups, spec->linux_.cgroups_path,
				   &spec->linux_.resources, in_unified, err);
	if (ret)
		return ret;
	out->memcg_fd = cgroup_dir(&out->cgroups, spec->linux_.cgroups_path, "memory");
	container_limits(out, spec->linux_.cgroups_path, &out->cpus, &out->memory);
	return 0;
}

static int lend_dir(const char *path, int *fd, struct error *err)
{
	*fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return *fd < 0 ? error_errno(err, errno, "%s", path) : 0;
}

/*
 * What of the host's folders is needed later, through mounts of our own: a descriptor of the host's would lead by ".." to
 * all of its files.
 */
static int lend_host_dirs(const struct oci_spec *spec, const struct container_stages *stages, struct container *out,
			  struct error *err)
{
	int ret = lend_dir(stages->state_dir, &out->state_fd, err);

	if (!ret)
		ret = lend_dir(stages->states_dir, &out->states_fd, err);
	if (!ret)
		ret = cgroup_confine(&out->cgroups, &out->cgroups_fd, err);
	if (ret)
		return ret;
	/* What is delegated to a cgroup namespace (systemd's mounts of version 2) can't be left from inside of it. */
	if (out->cgroups.unified)
		out->members_fd = openat(out->cgroups_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (out->memcg_fd >= 0)
		close(out->memcg_fd);
	out->memcg_fd = cgroup_dir(&out->cgroups, spec->linux_.cgroups_path, "memory");
	return 0;
}

void container_stay(struct container *c)
{
	close(c->states_fd);
	close(c->cgroups_fd);
	if (c->members_fd >= 0)
		close(c->members_fd);
	c->states_fd = c->cgroups_fd = c->members_fd = -1;
}

/* Of all its processes on the host, and of what they allocate from now on. */
static int set_memory_policy(const struct oci_memory_policy *p, struct error *err)
{
	struct mempolicy m;
	int ret = p ? oci_mempolicy_of(p, &m, err) : 0;

	if (ret || !p)
		return ret;
	if (syscall(SYS_set_mempolicy, m.mode, m.nodes, MEMPOLICY_NODES))
		return error_errno(err, errno, "linux.memoryPolicy: %s", p->mode);
	return 0;
}

static int open_procs(struct container *out, struct error *err)
{
	out->procfd = open_proc(err);
	if (out->procfd < 0)
		return out->procfd;
	out->infofd = open_info(err);
	return out->infofd < 0 ? out->infofd : 0;
}

/*
 * The container may set its host name if the name is its own, or if sethostname(2) would let it: a capability that
 * the hypervisor has not got later on, but an open file has no need of. A user namespace gives no right to the file.
 */
static void open_hostname(const struct oci_spec *spec, struct container *out)
{
	const struct oci_namespace *uts = &spec->linux_.namespaces[OCI_NS_UTS];
	bool own = uts->present && !uts->path;
	int fd = -1;

	if (own || (spec->process.capabilities.bounding & (1ULL << CAP_SYS_ADMIN)))
		fd = open("/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC);
	out->hostname_fd = fd < 0 ? 0 : fd;
}

/*
 * The host's files are cloned in a mount namespace of the user we were started as, who can reach
 * them; only then comes the container's user namespace, in which they are put together.
 */
static int enter_spaces(const struct oci_spec *spec, const struct container_stages *stages,
			struct namespaces *ns, struct mount_plan *plan, struct container *out,
			struct error *err)
{
	int ret = geteuid() ? namespaces_user(spec, ns, err) : 0;

	if (!ret)
		ret = namespaces_mount(err);
	if (!ret)
		ret = isolate_mounts(spec, err);
	if (!ret)
		ret = lend_host_dirs(spec, stages, out, err);
	if (!ret)
		ret = open_procs(out, err);
	if (!ret)
		ret = mounts_prepare(plan, spec, err);
	if (!ret)
		ret = devices_prepare(&out->devices, &spec->linux_, out->procfd, err);
	if (!ret)
		ret = namespaces_enter(spec, ns, err);
	if (!ret)
		open_hostname(spec, out);
	if (!ret)
		ret = userns_read(out->procfd, &out->ids, err);
	if (!ret)
		ret = userns_check_user(&out->ids, &spec->process.user, err);
	if (!ret && stages->namespaces_made)
		ret = stages->namespaces_made(stages->ctx, err);
	return ret ? ret : enter_root(spec, ns->in_user, plan, out, err);
}

int container_enter(const struct oci_spec *spec, const struct container_stages *stages,
		    struct container *out, struct error *err)
{
	/* directories and files made for mount points get the mode they are given */
	mode_t mask = umask(0);
	struct namespaces ns;
	struct mount_plan *plan = calloc(1, sizeof(*plan));
	int ret;

	*out = (struct container){ .rootfd = -1, .procfd = -1, .infofd = -1, .memcg_fd = -1,
				   .state_fd = -1, .states_fd = -1, .cgroups_fd = -1, .members_fd = -1,
				   .cgroups.fd = -1 };
	out->root_readonly = spec->root.readonly;
	out->rootfs = spec->root.path;
	if (!plan)
		return error_errno(err, ENOMEM, "mounts");
	mounts_plan_init(plan, spec);
	ret = namespaces_open(spec, &ns, err);
	if (!ret)
		ret = enter_cgroup(spec, stages->in_cgroup, out, err);
	if (!ret)
		ret = set_memory_policy(spec->linux_.memory_policy, err);
	if (!ret && stages->names_first)
		ret = namespaces_names(spec, &ns, err);
	if (!ret)
		ret = stages->placed(stages->placed_ctx, err);
	if (!ret)
		ret = enter_spaces(spec, stages, &ns, plan, out, err);
	namespaces_close(&ns);
	mounts_discard(plan);
	free(plan);
	umask(mask);
	return ret;
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

void container_limits(const struct container *c, const char *cgroups_path, uint32_t *cpus, uint64_t *memory)
{
	cpu_set_t set;

	*cpus = sched_getaffinity(0, sizeof(set), &set) ? 1 : (uint32_t)CPU_COUNT(&set);
	*memory = cgroup_memory_limit(&c->cgroups, cgroups_path);
}

int container_freeze(const char *cgroups_path, bool frozen, struct error *err)
{
	struct cgroup_tree tree;
	int ret = cgroup_open(&tree, false, err);

	if (ret)
		return ret;
	ret = cgroup_freeze(&tree, cgroups_path, frozen, err);
	cgroup_close(&tree);
	return ret;
}

bool container_frozen(const char *cgroups_path)
{
	struct cgroup_tree tree;
	struct error ignored;
	bool frozen;

	if (cgroup_open(&tree, false, &ignored))
		return false;
	frozen = cgroup_frozen(&tree, cgroups_path);
	cgroup_close(&tree);
	return frozen;
}

void container_thaw(const char *cgroups_path)
{
	struct cgroup_tree tree;
	struct error ignored;

	if (cgroup_open(&tree, false, &ignored))
		return;
	if (cgroup_frozen(&tree, cgroups_path))
		(void)!cgroup_freeze(&tree, cgroups_path, false, &ignored);
	cgroup_close(&tree);
}

int container_leave(const struct container *c, const char *cgroups_path, struct error *err)
{
	struct cgroup_tree tree = c->cgroups;

	tree.fd = c->cgroups_fd;
	return cgroup_leave(&tree, cgroups_path, c->members_fd, err);
}

const struct container_mount *container_guest_mount(const struct container *c, dev_t dev)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (dev && c->mounts[i].marker_dev == dev)
			return &c->mounts[i];
	}
	return NULL;
}
