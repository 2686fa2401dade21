/* SPDX-License-Identifier: Apache-2.0 */
/* linux.memoryPolicy as set_mempolicy() wants it. */
#ifndef CALLGATE_RUNTIME_OCI_MEMPOLICY_H
#define CALLGATE_RUNTIME_OCI_MEMPOLICY_H

#include "oci/spec.h"

#define MEMPOLICY_NODES 1024

struct mempolicy {
	int mode; /* MPOL_*, with flags */
	unsigned long nodes[MEMPOLICY_NODES / (8 * sizeof(unsigned long))];
};

int must_check oci_mempolicy_of(const struct oci_memory_policy *p, struct mempolicy *out,
				struct error *err);

/* The names that are known, to a NULL. */
extern const char *const oci_mempolicy_modes[];
extern const char *const oci_mempolicy_flags[];

#endif
