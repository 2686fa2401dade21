/* SPDX-License-Identifier: Apache-2.0 */
/* The config.json of `callgate spec --rootless`. */
#ifndef CALLGATE_RUNTIME_OCI_ROOTLESS_SPEC_H
#define CALLGATE_RUNTIME_OCI_ROOTLESS_SPEC_H

/*
 * As runc changes it for an ordinary user: its own id is the container's root, the host's network
 * and /sys stay, limits go. text: valid. To be freed; NULL: no memory.
 */
char *rootless_spec(const char *text);

#endif
