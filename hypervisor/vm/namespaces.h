/* SPDX-License-Identifier: Apache-2.0 */
/* linux.namespaces, hostname and net.* sysctls: what the hypervisor process lives in. */
#ifndef CALLGATE_VM_NAMESPACES_H
#define CALLGATE_VM_NAMESPACES_H

#include <stdbool.h>

#include "lib/error.h"
#include "oci/spec.h"

struct namespaces {
	int fds[OCI_NS_COUNT]; /* of those given by a path, until they are joined; else -1 */
	bool in_user;          /* in the container's user namespace */
	int made;              /* by namespaces_names() */
};

/* Opens what is given by a path, while the host's paths are there. Call namespaces_close() in any case. */
int must_check namespaces_open(const struct oci_spec *spec, struct namespaces *ns, struct error *err);
void namespaces_close(struct namespaces *ns);

/* Only the user namespace, if there is to be one: who is not root has no right to anything else before. */
int must_check namespaces_user(const struct oci_spec *spec, struct namespaces *ns, struct error *err);

/* New ipc and uts namespaces, if the container is to have its own: namespaces_enter() makes only the others then. */
int must_check namespaces_names(const struct oci_spec *spec, struct namespaces *ns, struct error *err);

/* Which of CLONE_NEWIPC and CLONE_NEWUTS are to be made for the container. */
int namespaces_own_names(const struct oci_spec *spec);

/* A new mount namespace. */
int must_check namespaces_mount(struct error *err);

/*
 * Joins and makes all the others but the pid namespace, which is for the guest's host
 * processes only. The caller is in its cgroup already: a new cgroup namespace starts there.
 */
int must_check namespaces_enter(const struct oci_spec *spec, struct namespaces *ns, struct error *err);

#endif
