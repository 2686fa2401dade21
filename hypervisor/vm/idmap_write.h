/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the mappings of a new user namespace, from outside. */
#ifndef CALLGATE_VM_IDMAP_WRITE_H
#define CALLGATE_VM_IDMAP_WRITE_H

#include <sys/types.h>

#include "lib/error.h"
#include "oci/spec.h"

/* pid: what /proc knows a process in the namespace by. To be called by a process in the parent namespace. */
int must_check idmap_write(pid_t pid, const struct oci_id_maps *uid, const struct oci_id_maps *gid,
			   struct error *err);

#endif
