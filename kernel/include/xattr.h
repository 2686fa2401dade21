/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: what vfs/xattr.c is asked, and its half for guest file systems, vfs/xattr_guest.c. */
#ifndef XATTR_H
#define XATTR_H

#include <linux/limits.h>

#include "name.h"

struct xattr {
	char name[XATTR_NAME_MAX + 1];
	uaddr_t value; /* user memory */
	u64 size;
	u32 flags;
};

s64 xattr_guest_get(struct name *n, void *arg); /* arg: struct xattr */
s64 xattr_guest_set(struct name *n, void *arg);
s64 xattr_guest_remove(struct name *n, void *arg);
s64 xattr_guest_list(struct name *n, void *arg);
/* File capabilities that count in current's user namespace, as those of version 2: their length, or -ENODATA. */
int xattr_guest_caps(struct inode *i, void *value);

#endif
