// SPDX-License-Identifier: Apache-2.0
/* Puts every mount in its place, from inside the container's root. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "vm/copyup.h"
#include "vm/mount_kinds.h"
#include "vm/mounts.h"
#include "vm/place.h"

#define MARKER_OPTIONS "mode=0555,size=4k,nr_inodes=2"

static bool is_marker(void *arg, dev_t dev)
{
	return container_guest_mount(arg, dev) != NULL;
}

static struct place_root root_of(struct container *c)
{
	return (struct place_root){ c->rootfd, c->procfd, is_marker, c };
}

static int attach(int mount_fd, int place_fd)
{
	return move_mount(mount_fd, "", place_fd, "",
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ? -errno : 0;
}

static struct container_mount *add_mount(struct container *c, struct error *err)
{
	struct container_mount *m;

	if (c->n_mounts == c->cap_mounts) {
		size_t cap = c->cap_mounts ? 2 * c->cap_mounts : 16;

		m = reallocarray(c->mounts, cap, sizeof(*m));
		if (!m) {
			error_errno(err, ENOMEM, "mounts");
			return NULL;
		}
		c->mounts = m;
		c->cap_mounts = cap;
	}
	m = &c->mounts[c->n_mounts];
	*m = (struct container_mount){ .fd = -1 };
	return m;
}

static int record(struct container *c, enum mount_kind kind, const struct place *place,
		  const struct oci_mount *m, const struct mount_options *o, struct error *err)
{
	struct container_mount *out = add_mount(c, err);
	const struct mount_type *own = mount_type_of(m);
	const char *type = own ? own->name : oci_mount_is_bind(m) ? "bind" : m->type;

	if (!out)
		return -ENOMEM;
	out->kind = kind;
	out->target = strdup(place->path);
	out->source = strdup(m->source && m->source[0] ? m->source : type);
	out->fstype = strdup(type);
	out->options = strdup(o->data);
	out->flags = mount_options_flags(o);
	out->unix_sockets = o->unix_sockets;
	if (!out->target || !out->source || !out->fstype || !out->options)
		return error_errno(err, ENOMEM, "mounts");
	c->n_mounts++;
	return 0;
}

/* The device number of what was mounted tells the path walker that the guest is meant. */
static int attach_marker(int place_fd, dev_t *dev, struct error *err)
{
	cleanup_close int fd = mounts_new_fs("tmpfs", "guest", MARKER_OPTIONS,
					     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						     MOUNT_ATTR_NOEXEC, err);
	struct stat st;
	int ret;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return error_errno(err, errno, "guest-side mount");
	ret = attach(fd, place_fd);
	if (ret)
		return error_errno(err, -ret, "guest-side mount");
	*dev = st.st_dev;
	return 0;
}

static int attach_guest(struct container *c, enum mount_kind kind, const struct place *place,
			const struct oci_mount *m, const struct mount_options *o,
			struct error *err)
{
	dev_t dev = 0;
	int ret = 0;

	/* inside a guest-side mount the host has nothing to do with it any more */
	if (!place->under_guest)
		ret = attach_marker(place->fd, &dev, err);
	if (!ret)
		ret = record(c, kind, place, m, o, err);
	if (!ret)
		c->mounts[c->n_mounts - 1].marker_dev = dev;
	return ret;
}

/*
 * In a user namespace, what the host has restricted stays so. When a file was last read is not worth an
 * error.
 */
static int set_attrs(int fd, bool recursive, uint64_t set, uint64_t clear)
{
	int ret = mounts_set_attrs(fd, recursive, set, clear & ~MOUNT_ATTR_NODEV, 0);

	if (ret != -EPERM || !(clear & MOUNT_ATTR__ATIME))
		return ret;
	set &= ~MOUNT_ATTR__ATIME;
	return mounts_set_attrs(fd, recursive, set, clear & ~(MOUNT_ATTR_NODEV | MOUNT_ATTR__ATIME), 0);
}

/* The options beyond those that fsmount() or the clone brought along. */
static int apply_attrs(int fd, const struct mount_options *o)
{
	int ret = 0;

	if (o->rec_set || o->rec_clear)
		ret = set_attrs(fd, true, o->rec_set, o->rec_clear);
	if (!ret && (o->set || o->clear))
		ret = set_attrs(fd, false, o->set, o->clear);
	if (!ret && o->propagation)
		ret = mounts_set_attrs(fd, o->propagation_rec, 0, 0, o->propagation);
	return ret;
}

/* By its number the server knows the mount that a socket is in. */
static int identify(struct container_mount *m, int fd, struct error *err)
{
	struct statx st;

	if (!m->unix_sockets)
		return 0;
	if (m->fd < 0)
		m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (m->fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st))
		return error_errno(err, errno, "option 'callgate.unix'");
	m->mnt_id = st.stx_mnt_id;
	return 0;
}

static bool is_folder(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

static int attach_host(struct container *c, int fd, const struct place *place,
		       const struct oci_mount *m, const struct mount_options *o,
		       struct error *err)
{
	int ret = apply_attrs(fd, o);

	if (!ret && is_folder(fd) != is_folder(place->fd))
		return error_set(err, ENOTDIR,
				 "cannot mount on %s: not a directory: a folder can't be mounted on a file, nor a file on "
				 "a folder", place->path);
	if (!ret)
		ret = attach(fd, place->fd);
	if (ret)
		return error_errno(err, -ret, "cannot mount on %s", place->path);
	ret = record(c, MOUNT_HOST, place, m, o, err);
	return ret ? ret : identify(&c->mounts[c->n_mounts - 1], fd, err);
}

/* It stays detached: the guest's mount has no place on the host to attach it to. */
static int keep_under_guest(struct container *c, int *fd, const struct place *place,
			    const struct oci_mount *m, const struct mount_options *o,
			    struct error *err)
{
	struct container_mount *out;
	struct stat st;
	int ret;

	if (mounts_bind_recursive(m, o))
		return error_set(err, ENOTSUP, "a recursive bind can't be made on %s", place->path);
	ret = apply_attrs(*fd, o);
	if (!ret && fstat(*fd, &st))
		ret = -errno;
	if (ret)
		return error_errno(err, -ret, "cannot mount on %s", place->path);
	ret = record(c, MOUNT_BIND_UNDER_GUEST, place, m, o, err);
	if (ret)
		return ret;
	out = &c->mounts[c->n_mounts - 1];
	out->fd = steal_fd(fd);
	out->is_dir = S_ISDIR(st.st_mode);
	return identify(out, out->fd, err);
}

static enum place_want wanted_place(int fd, const struct mount_options *o)
{
	if (o->remount)
		return PLACE_EXISTING;
	return fd >= 0 && !is_folder(fd) ? PLACE_FILE : PLACE_DIR;
}

static enum mount_kind guest_kind(const struct oci_mount *m, const struct mount_type *type,
				  const struct place *place)
{
	if (type->kind != MOUNT_GUEST_TMPFS)
		return type->kind;
	if (!strcmp(place->path, "/dev"))
		return MOUNT_GUEST_DEV;
	return place->under_guest ? MOUNT_GUEST_TMPFS : MOUNT_HOST;
}

/* "remount": of the guest's own mounts only the flags are ours to change. */
static int remount(struct container *c, const struct place *place, const struct mount_options *o,
		   struct error *err)
{
	int ret;

	if (o->data[0])
		return error_set(err, ENOTSUP, "option '%s' can't be changed by 'remount'", o->data);
	for (size_t i = c->n_mounts; i > 0; i--) {
		struct container_mount *m = &c->mounts[i - 1];

		if (strcmp(m->target, place->path))
			continue;
		m->flags = (m->flags & ~mount_options_cleared(o)) | mount_options_flags(o);
		if (m->kind != MOUNT_HOST)
			return 0;
		break;
	}
	ret = place->under_guest ? -EINVAL : apply_attrs(place->fd, o);
	return ret ? error_errno(err, -ret, "option 'remount': %s", place->path) : 0;
}

/* It has the mode of the folder that it is put on, unless the options say otherwise (runc does so). */
static int new_tmpfs(const struct oci_mount *m, const struct mount_options *o, const struct place *place,
		     const char *label, struct error *err)
{
	char data[MOUNT_DATA_MAX + 16];
	struct stat st;

	if (fstat(place->fd, &st))
		return error_errno(err, errno, "%s", place->path);
	if (place->created)
		snprintf(data, sizeof(data), "%s", o->data);
	else
		snprintf(data, sizeof(data), "mode=%04o,%s", st.st_mode & 07777, o->data);
	return mounts_new_labelled(m->type, m->source, data, o->set & ~MOUNT_ATTR_RDONLY, label, err);
}

static int copyup(const struct mount_options *o, const struct place *place, int fd, struct error *err)
{
	int ret = o->copyup ? copyup_dir(place->fd, fd) : 0;

	return ret ? error_errno(err, -ret, "option 'tmpcopyup': %s", place->path) : 0;
}

static int attach_mount(struct mount_plan *plan, size_t i, struct container *c,
			struct error *err)
{
	const struct oci_mount *m = &plan->spec->mounts[i];
	const struct place_root root = root_of(c);
	const struct mount_type *type = mount_type_of(m);
	struct mount_options *o = &plan->options;
	cleanup_close int fd = steal_fd(&plan->fds[i]);
	struct place place;
	int ret = mounts_options(plan->spec, m, o, err);

	if (ret)
		return ret;
	ret = place_find(&root, m->destination, wanted_place(fd, o), &place, err);
	if (ret)
		return error_wrap(err, "destination");
	cleanup_close int place_fd = place.fd;

	if (o->remount)
		return remount(c, &place, o, err);
	if (type) {
		enum mount_kind kind = guest_kind(m, type, &place);

		if (kind != MOUNT_HOST)
			return attach_guest(c, kind, &place, m, o, err);
		fd = new_tmpfs(m, o, &place, plan->spec->linux_.mount_label, err);
		ret = fd < 0 ? fd : copyup(o, &place, fd, err);
		if (ret)
			return ret;
	}
	if (place.under_guest && !place.on_marker)
		return keep_under_guest(c, &fd, &place, m, o, err);
	return attach_host(c, fd, &place, m, o, err);
}

static int add_path(struct container_paths *list, const char *path)
{
	char **v = reallocarray(list->v, list->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n] = strdup(path);
	if (!v[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static int write_protect(const struct place *place)
{
	cleanup_close int fd = open_tree(place->fd, "",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
						 AT_RECURSIVE);
	int ret;

	if (fd < 0)
		return -errno;
	ret = mounts_set_attrs(fd, true, MOUNT_ATTR_RDONLY, 0, 0);
	return ret ? ret : attach(fd, place->fd);
}

static int mask(const struct place *place, int empty_file, struct error *err)
{
	cleanup_close int fd = -1;
	struct stat st;
	int ret;

	if (fstat(place->fd, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return empty_file < 0 ? -ENOTSUP : attach(empty_file, place->fd);
	fd = mounts_new_fs("tmpfs", "masked", "mode=0555,size=4k", MOUNT_ATTR_RDONLY, err);
	if (fd < 0)
		return fd;
	ret = attach(fd, place->fd);
	return ret;
}

/* Protects one path on whichever side it is. One that is not there needs no protection. */
static int protect(struct container *c, const char *path, bool masked, int empty_file,
		   struct error *err)
{
	const struct place_root root = root_of(c);
	struct place place;
	int ret = place_find(&root, path, PLACE_EXISTING, &place, err);

	if (ret == -ENOENT || ret == -ENOTDIR) {
		*err = (struct error){ 0 };
		return 0;
	}
	if (ret)
		return ret;
	cleanup_close int place_fd = place.fd;

	if (!strcmp(place.path, "/"))
		return error_set(err, EINVAL, "%s: the root directory can't be", path);
	if (place.under_guest)
		ret = add_path(masked ? &c->masked : &c->readonly, place.path);
	else
		ret = masked ? mask(&place, empty_file, err) : write_protect(&place);
	return ret ? error_errno(err, -ret, "%s", path) : 0;
}

static int protect_paths(const struct mount_plan *plan, struct container *c, struct error *err)
{
	const struct oci_strings *masked = &plan->spec->linux_.masked_paths;
	const struct oci_strings *readonly = &plan->spec->linux_.readonly_paths;

	for (size_t i = 0; i < readonly->n; i++) {
		if (protect(c, readonly->v[i], false, -1, err))
			return error_wrap(err, "linux.readonlyPaths[%zu]", i);
	}
	for (size_t i = 0; i < masked->n; i++) {
		if (protect(c, masked->v[i], true, plan->mask_fds[i], err))
			return error_wrap(err, "linux.maskedPaths[%zu]", i);
	}
	return 0;
}

int mounts_attach(struct mount_plan *plan, struct container *c, struct error *err)
{
	int ret;

	for (size_t i = 0; i < plan->spec->n_mounts; i++) {
		ret = attach_mount(plan, i, c, err);
		if (ret)
			return error_wrap(err, "mounts[%zu]", i);
	}
	ret = mounts_cover_proc(c, err);
	if (!ret)
		ret = protect_paths(plan, c, err);
	if (ret || !plan->spec->root.readonly)
		return ret;
	ret = mounts_set_attrs(c->rootfd, false, MOUNT_ATTR_RDONLY, 0, 0);
	return ret ? error_errno(err, -ret, "root.readonly") : 0;
}
