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

/* NULL: a file system of the host */
const struct mount_type *mount_type_find(const char *name);

#endif
