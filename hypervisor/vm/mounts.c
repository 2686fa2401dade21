// SPDX-License-Identifier: Apache-2.0
/* Detached mounts, made before the host's paths are left behind. */
#include "vm/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "vm/mount_kinds.h"
#include "vm/throwaway.h"
#include "vm/userns.h"

int mounts_set_attrs(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return mount_setattr(fd, "", flags, &attr, sizeof(attr)) ? -errno : 0;
}

/*
 * Everything of the host that a container sees is "nodev": a device node on a disk must
 * never open a device of the host.
 */
int mounts_clone(const char *path, bool recursive)
{
	cleanup_close int fd = open_tree(AT_FDCWD, path,
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						 (recursive ? AT_RECURSIVE : 0));
	int ret;

	if (fd < 0)
		return -errno;
	ret = mounts_set_attrs(fd, true, MOUNT_ATTR_NODEV, 0, 0);
	return ret ? ret : steal_fd(&fd);
}

static int set_option(int fs, char *option)
{
	char *value = strchr(option, '=');

	if (!value)
		return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0) ? -errno : 0;
	*value++ = '\0';
	return fsconfig(fs, FSCONFIG_SET_STRING, option, value, 0) ? -errno : 0;
}

static int set_options(int fs, const char *options, struct error *err)
{
	char copy[MOUNT_DATA_MAX + 16];
	char *save = NULL;

	snprintf(copy, sizeof(copy), "%s", options);
	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		int ret = set_option(fs, o);

		if (ret)
			return error_errno(err, -ret, "mount option '%s'", o);
	}
	return 0;
}

int mounts_new_fs(const char *fstype, const char *source, const char *options, uint64_t attrs,
		  struct error *err)
{
	return mounts_new_labelled(fstype, source, options, attrs, NULL, err);
}

int mounts_new_labelled(const char *fstype, const char *source, const char *options, uint64_t attrs,
			const char *label, struct error *err)
{
	cleanup_close int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	int fd;
	int ret;

	if (fs < 0)
		return error_errno(err, errno, "file system '%s'", fstype);
	if (source && source[0] && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0))
		return error_errno(err, errno, "source '%s'", source);
	ret = set_options(fs, options, err);
	if (ret)
		return ret;
	if (label && label[0] && fsconfig(fs, FSCONFIG_SET_STRING, "context", label, 0))
		return error_errno(err, errno, "linux.mountLabel: '%s'", label);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return error_errno(err, errno, "cannot create file system '%s'", fstype);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs | MOUNT_ATTR_NODEV);
	return fd < 0 ? error_errno(err, errno, "cannot mount file system '%s'", fstype) : fd;
}

static int prepare_root(const struct oci_spec *spec, struct error *err)
{
	int fd;
	int ret;

	if (spec->root.throwaway)
		return throwaway_overlay(spec->root.path, 0, err);
	fd = mounts_clone(spec->root.path, true);
	if (fd >= 0 && spec->root.all_readonly) {
		ret = mounts_set_attrs(fd, true, MOUNT_ATTR_RDONLY, 0, 0);
		if (ret) {
			close(fd);
			return error_errno(err, -ret, "root.path: %s: cannot make it read-only", spec->root.path);
		}
	}
	return fd < 0 ? error_errno(err, -fd, "root.path: %s", spec->root.path) : fd;
}

/*
 * A procfs of the host shows the hypervisor itself, /proc/self/mem included: no guest may
 * have that, whatever the configuration says.
 */
static int refuse_proc(int fd, struct error *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return error_errno(err, errno, "source");
	if (fs.f_type == PROC_SUPER_MAGIC)
		return error_set(err, ENOTSUP,
				 "source: the host's /proc can't be given to a guest");
	return 0;
}

/*
 * Mounts below the source of a recursive bind come along, but not to where the guest has its
 * own file systems: there they would escape cover_proc().
 */
bool mounts_bind_recursive(const struct oci_mount *m, const struct mount_options *o)
{
	static const char *const guest[] = { "/dev/", "/proc/", "/sys/" };

	for (size_t i = 0; i < sizeof(guest) / sizeof(guest[0]); i++) {
		if (!strncmp(m->destination, guest[i], strlen(guest[i])))
			return false;
	}
	return o->recursive;
}

/* In a user namespace the host's mounts below a folder can't be taken off it: then it is all empty, and writable. */
static int prepare_layer(const char *path, unsigned int number, struct error *err)
{
	int fd = throwaway_overlay(path, number, err);

	return fd == -EINVAL && geteuid() ? mounts_new_fs("tmpfs", "layer", "mode=1777", MOUNT_ATTR_NOSUID, err) : fd;
}

static int prepare_bind(const struct oci_mount *m, unsigned int number,
			const struct mount_options *o, struct error *err)
{
	cleanup_close int fd = -1;
	int ret;

	if (o->data[0])
		return error_set(err, EINVAL, "option '%s' means nothing to a bind mount", o->data);
	if (m->throwaway)
		return prepare_layer(m->source, number, err);
	fd = mounts_clone(m->source, mounts_bind_recursive(m, o));
	if (fd < 0)
		return error_errno(err, -fd, "%s", m->source);
	ret = refuse_proc(fd, err);
	return ret ? ret : steal_fd(&fd);
}

/* The container's own mappings, unless the mount has some. */
static int idmap(const struct oci_spec *spec, const struct oci_mount *m, const struct mount_options *o,
		 int fd, struct error *err)
{
	const struct oci_linux *l = &spec->linux_;
	bool own = m->uid_mappings.n || m->gid_mappings.n;
	const struct oci_id_maps *uid = own ? &m->uid_mappings : &l->uid_mappings;
	const struct oci_id_maps *gid = own ? &m->gid_mappings : &l->gid_mappings;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	cleanup_close int ns = -1;

	if (!own && !o->idmap)
		return 0;
	if (!uid->n || !gid->n)
		return error_set(err, EINVAL, "option 'idmap': needs uidMappings and gidMappings");
	ns = userns_detached(uid, gid, err);
	if (ns < 0)
		return ns;
	attr.userns_fd = (unsigned int)ns;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (o->idmap_rec ? AT_RECURSIVE : 0), &attr, sizeof(attr)))
		return error_errno(err, errno, "%s: the file system can't be mounted with mapped ids", m->source);
	return 0;
}

int mounts_options(const struct oci_spec *spec, const struct oci_mount *m, struct mount_options *out, struct error *err)
{
	int ret = mount_options_parse(&m->options, out, err), annotated = unix_mounts_annotated(spec, m);

	if (ret)
		return ret;
	if (annotated >= 0 && !out->remount)
		out->unix_sockets = (unsigned int)annotated;
	if (out->unix_sockets && (!oci_mount_is_bind(m) || out->remount || m->throwaway))
		return error_set(err, EINVAL, "option 'callgate.unix': only a bind mount has sockets of others");
	return 0;
}

/* tmpfs is made later: it is the guest's if it lies inside the guest's /dev. */
static int prepare_mount(struct mount_plan *plan, size_t i, struct error *err)
{
	const struct oci_mount *m = &plan->spec->mounts[i];
	struct mount_options *o = &plan->options;
	const struct mount_type *type = mount_type_of(m);
	int ret = mounts_options(plan->spec, m, o, err);

	if (ret)
		return ret;
	if (type && type->refused)
		return error_set(err, ENOTSUP, "type: file system '%s' can't be given to a guest", m->type);
	if (type || o->remount)
		return 0;
	if (oci_mount_is_bind(m))
		ret = prepare_bind(m, (unsigned int)i + 1, o, err);
	else
		ret = mounts_new_labelled(m->type, m->source, o->data, o->set, plan->spec->linux_.mount_label, err);
	plan->fds[i] = ret < 0 ? -1 : ret;
	return ret < 0 ? ret : idmap(plan->spec, m, o, ret, err);
}

static bool is_guest_path(const char *path)
{
	return !strstr(path, "..") && (!strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5));
}

/*
 * A masked file is covered by an empty one. It comes from a tmpfs that is attached for a
 * moment, as a mount can only be cloned while it is in the caller's namespace.
 */
static int prepare_masks(struct mount_plan *plan, struct error *err)
{
	const struct oci_strings *masked = &plan->spec->linux_.masked_paths;
	cleanup_close int fd = -1;
	cleanup_close int file = -1;

	for (size_t i = 0; i < masked->n; i++) {
		if (is_guest_path(masked->v[i]))
			continue;
		if (fd < 0) {
			fd = mounts_new_fs("tmpfs", "masked", "mode=0755,size=4k", 0, err);
			if (fd < 0)
				return fd;
			file = openat(fd, "empty", O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
			if (file < 0 || move_mount(fd, "", AT_FDCWD, plan->spec->root.path,
						   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS))
				return error_errno(err, errno, "linux.maskedPaths");
		}
		plan->mask_fds[i] = open_tree(fd, "empty", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (plan->mask_fds[i] < 0 ||
		    mounts_set_attrs(plan->mask_fds[i], false,
				     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0))
			return error_errno(err, errno, "linux.maskedPaths");
	}
	return 0;
}

static int *no_fds(size_t n)
{
	int *fds = malloc((n + 1) * sizeof(*fds));

	for (size_t i = 0; fds && i < n; i++)
		fds[i] = -1;
	return fds;
}

static bool any_throwaway(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		if (spec->mounts[i].throwaway)
			return true;
	}
	return spec->root.throwaway;
}

void mounts_plan_init(struct mount_plan *plan, const struct oci_spec *spec)
{
	*plan = (struct mount_plan){ .spec = spec, .rootfd = -1 };
}

int mounts_prepare(struct mount_plan *plan, const struct oci_spec *spec, struct error *err)
{
	int ret = 0;

	plan->fds = no_fds(spec->n_mounts);
	plan->mask_fds = no_fds(spec->linux_.masked_paths.n);
	if (!plan->fds || !plan->mask_fds)
		return error_errno(err, ENOMEM, "mounts");
	ret = unix_mounts_check(spec, err);
	if (!ret && any_throwaway(spec))
		ret = throwaway_init(err);
	if (ret)
		return ret;
	plan->rootfd = prepare_root(spec, err);
	if (plan->rootfd < 0)
		return plan->rootfd;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		ret = prepare_mount(plan, i, err);
		if (ret)
			return error_wrap(err, "mounts[%zu]", i);
	}
	return prepare_masks(plan, err);
}

static void discard_fds(int *fds, size_t n)
{
	for (size_t i = 0; fds && i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(fds);
}

void mounts_discard(struct mount_plan *plan)
{
	discard_fds(plan->fds, plan->spec->n_mounts);
	discard_fds(plan->mask_fds, plan->spec->linux_.masked_paths.n);
	if (plan->rootfd >= 0)
		close(plan->rootfd);
	plan->fds = NULL;
	plan->mask_fds = NULL;
	plan->rootfd = -1;
}
