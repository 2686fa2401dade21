/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's PV call server, in a shared library of its own: its names and the kernel's do
 * not mix.
 */
#ifndef STUB_SERVER_H
#define STUB_SERVER_H

#include "types.h"

/* A file system of the guest: `target` in the container, marked by the host device on the server's
 * side. */
struct stub_mount {
	const char *target, *type;
	u64 dev;
};

/* Serve the ring with `root` as the container's root directory. Needs CAP_SYS_CHROOT. Aborts on
 * failure. */
void stub_server_start(const char *root, void *ring, int channel, const struct stub_mount *mounts,
		       u32 nmounts);

#endif
