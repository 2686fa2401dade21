/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's mounts, in two steps around pivot_root(): what needs the host's paths is
 * prepared as detached mounts before; it is put in its place after, when no path can
 * lead to the host any more.
 */
#ifndef CALLGATE_VM_MOUNTS_H
#define CALLGATE_VM_MOUNTS_H

#include "lib/error.h"
#include "oci/spec.h"
#include "vm/container.h"
#include "vm/mount_options.h"

struct mount_plan {
	const struct oci_spec *spec;
	int rootfd;     /* the root file system, a detached mount */
	int *fds;       /* per configured mount: detached, or -1 for the ones made later */
	int *mask_fds;  /* per masked path: an empty file, or -1 */
	struct mount_options options; /* of the mount being worked on: too big for the stack */
};

void mounts_plan_init(struct mount_plan *plan, const struct oci_spec *spec);

/* Step 1. Call mounts_discard() in any case. */
int must_check mounts_prepare(struct mount_plan *plan, const struct oci_spec *spec,
			      struct error *err);

/* Step 2: inside, with c->rootfd and c->procfd set. Fills in the lists of c. */
int must_check mounts_attach(struct mount_plan *plan, struct container *c, struct error *err);

/* A host's /proc that came along with a recursive bind is covered by an empty folder. */
int must_check mounts_cover_proc(struct container *c, struct error *err);

void mounts_discard(struct mount_plan *plan);

/* Its options, with what annotations add to them. */
int must_check mounts_options(const struct oci_spec *spec, const struct oci_mount *m, struct mount_options *out,
			      struct error *err);

/* unix_mounts.c: the annotation that names mounts whose unix sockets are the host's. */
#define UNIX_SOCKETS_ANNOTATION "org.callgate.unix-sockets"
int must_check unix_mounts_check(const struct oci_spec *spec, struct error *err);
/* What it says of this mount: PV_UNIX_MAY_*, or -1: nothing. It has been checked. */
int unix_mounts_annotated(const struct oci_spec *spec, const struct oci_mount *m);

/* Do mounts below the source of this bind come along? */
bool mounts_bind_recursive(const struct oci_mount *m, const struct mount_options *o);

/* Of a mount anywhere on the host, with "nodev" on all of it. Returns an fd or -errno. */
int mounts_clone(const char *path, bool recursive);

/* A new, empty tmpfs, attached nowhere; options "size=64k,mode=0755". Returns an fd or -errno */
int mounts_new_fs(const char *fstype, const char *source, const char *options, uint64_t attrs,
		  struct error *err);
/* The same, its files with this SELinux label (NULL: whatever the policy says). */
int mounts_new_labelled(const char *fstype, const char *source, const char *options, uint64_t attrs,
			const char *label, struct error *err);

/* attrs: MOUNT_ATTR_* */
int mounts_set_attrs(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);

#endif
