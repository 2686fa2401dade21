/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs, for the file systems made of it. */
#ifndef TMPFS_H
#define TMPFS_H

#include "fs.h"
#include "mounts.h"

u64 tmpfs_default_size(void); /* half of the memory */
bool tmpfs_owns(const struct inode *i);
int tmpfs_mount(struct mount *m, const char *options, struct inode **root);
int tmpfs_show_options(struct mount *m, char *buf, size_t size);

#endif
