/* SPDX-License-Identifier: Apache-2.0 */
/* Which file systems are the guest kernel's own, and which a container can't have. */
#ifndef CALLGATE_VM_MOUNT_KINDS_H
#define CALLGATE_VM_MOUNT_KINDS_H

#include <stdbool.h>
#include <stddef.h>

#include "vm/container.h"

struct mount_type {
	const char *name;
	enum mount_kind kind;
	bool refused; /* a window into the host's kernel */
};

/*
 * NULL: files of the host. A bind of the host's own /sys, /dev, ... to the same place, which engines make
 * for containers that share the host's network or ipc namespace, means the guest's: it has no other.
 */
const struct mount_type *mount_type_of(const struct oci_mount *m);

#endif
