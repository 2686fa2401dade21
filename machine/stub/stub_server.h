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

/* ---- events (pvcall.h) ---- */

struct pv_event;
/* Its number. Aborts on failure. The descriptors are taken over. */
u32 stub_post(const struct pv_event *event, size_t size, const int *fds, unsigned int nfds);
/* Wait for the answer, 10 s at most: the result; its text in a static buffer. */
int stub_answer(u32 event, const char **text);
/* Wait for the end of its process: the wait status. */
int stub_exit_status(u32 event);
bool stub_has_exited(u32 event);

#endif
