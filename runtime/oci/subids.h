/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that an ordinary user may map besides its own: subuid(5), subgid(5). */
#ifndef CALLGATE_RUNTIME_OCI_SUBIDS_H
#define CALLGATE_RUNTIME_OCI_SUBIDS_H

#include "oci/spec.h"

/*
 * The mappings of a namespace in which the calling user is itself, and the others are from its
 * ranges of subordinate ids, as far as those go and newuidmap(1) is there to map them.
 */
void subids_mappings(struct oci_linux *l, struct arena *arena);

#endif
