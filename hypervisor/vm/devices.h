/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.devices that the guest kernel does not have itself. The guest knows them by their number in the
 * configuration; the hypervisor opens them on nodes of its own, in a file system that is mounted nowhere.
 */
#ifndef CALLGATE_VM_DEVICES_H
#define CALLGATE_VM_DEVICES_H

#include "lib/error.h"
#include "oci/spec.h"

struct devices {
	const struct oci_linux *config; /* devices and rules */
	int dirfd;                      /* nodes, named by their numbers; -1: none could be made */
	int *fds;                       /* without nodes of our own: O_PATH of the host's of the same name; else NULL */
	int procfd;                     /* to open those by */
};

/* Is it one that the hypervisor opens? (The guest kernel has null, zero, tty ... of its own.) */
bool devices_from_host(const struct oci_device *d);
/* May it be opened so (O_RDONLY, O_WRONLY, O_RDWR), by linux.resources.devices and by what no guest may have? */
bool devices_allowed(const struct oci_linux *config, const struct oci_device *d, int access);
/* While the host's names are still there. procfd must outlive it. */
int must_check devices_prepare(struct devices *out, const struct oci_linux *config, int procfd, struct error *err);
/* A descriptor, or -errno. Any thread. */
int devices_open(const struct devices *d, unsigned int number, int flags);

#endif
