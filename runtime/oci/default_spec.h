/* SPDX-License-Identifier: Apache-2.0 */
/* The config.json that `callgate spec` writes: a shell in rootfs/, as runc's. */
#ifndef CALLGATE_RUNTIME_OCI_DEFAULT_SPEC_H
#define CALLGATE_RUNTIME_OCI_DEFAULT_SPEC_H

extern const char oci_default_spec[];

#endif
