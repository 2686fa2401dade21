/* SPDX-License-Identifier: Apache-2.0 */
/* linux.namespaces, hostname and net.* sysctls: what the hypervisor process lives in. */
#ifndef CALLGATE_VM_NAMESPACES_H
#define CALLGATE_VM_NAMESPACES_H

#include "lib/error.h"
#include "oci/spec.h"

/*
 * Joins and makes all namespaces but the pid namespace, which is for the guest's host
 * processes only. The caller is in its cgroup already: a new cgroup namespace starts there.
 */
int must_check namespaces_enter(const struct oci_spec *spec, struct error *err);

#endif
