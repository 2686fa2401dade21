/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces: the hypervisor process goes into the container's, so that the host's kernel
 * itself maps the guest's user and group ids whenever a PV call is served.
 */
#ifndef CALLGATE_VM_USERNS_H
#define CALLGATE_VM_USERNS_H

#include <stdbool.h>

#include "lib/error.h"
#include "oci/spec.h"

/* The ids there are, as /proc/self/uid_map has them. n == 0: all, each mapped to itself. */
struct userns_ids {
	struct oci_id_maps uid;
	struct oci_id_maps gid;
	bool setgroups_denied;
};

/*
 * Makes a new user namespace with the specification's mappings and goes in. A process that may not
 * write them has newuidmap(1) and newgidmap(1) do it, unless there is nothing but its own id.
 */
int must_check userns_new(const struct oci_spec *spec, struct error *err);

/* A namespace with these mappings that nobody is in, for idmapped mounts. An fd or -errno. */
int must_check userns_detached(const struct oci_id_maps *uid, const struct oci_id_maps *gid,
			       struct error *err);

/* In the container's user namespace: its root, unless the process's own user has an id there. */
int must_check userns_become_root(struct error *err);

/* Reads what the calling process can see of its namespace. procfd: of a procfs. */
int must_check userns_read(int procfd, struct userns_ids *out, struct error *err);
void userns_ids_free(struct userns_ids *ids);

/* process.user must have an id on the host. */
int must_check userns_check_user(const struct userns_ids *ids, const struct oci_user *user,
				 struct error *err);

#endif
