/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a namespace that has the mounts of boot only (vfs/mount_boot.c). */
#ifndef MOUNT_TABLE_H
#define MOUNT_TABLE_H

#include "mnt_ns.h"

int mount_table_make(struct mnt_ns *ns); /* in place of an older one. mounts_lock is held */
void mount_table_free(struct mnt_ns *ns);

#endif
