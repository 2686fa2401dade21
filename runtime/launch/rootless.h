/* SPDX-License-Identifier: Apache-2.0 */
/* Running without root's rights: as an ordinary user, or as the root of such a user's namespace. */
#ifndef CALLGATE_RUNTIME_LAUNCH_ROOTLESS_H
#define CALLGATE_RUNTIME_LAUNCH_ROOTLESS_H

#include "cmd/cmd.h"
#include "oci/spec.h"

/* Where containers' state is kept unless --root says something else. */
const char *rootless_state_root(void);

/*
 * Decides the place of the container's cgroup, which without root's rights may be out of reach: that
 * is an error only if limits are asked for. Who is not root needs a user namespace.
 */
int must_check rootless_prepare(const struct globals *globals, struct oci_spec *spec, struct error *err);

#endif
