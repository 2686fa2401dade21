/* SPDX-License-Identifier: Apache-2.0 */
/* A specification without a bundle: a command on the host's own root file system. */
#ifndef CALLGATE_RUNTIME_OCI_HOST_SPEC_H
#define CALLGATE_RUNTIME_OCI_HOST_SPEC_H

#include "oci/spec.h"

/*
 * The host's files under a throw-away writable layer, the host's network, our working
 * directory, environment and user. args must outlive the specification.
 */
int must_check host_spec_make(char **args, size_t n_args, struct oci_spec **out,
			      struct error *err);

#endif
