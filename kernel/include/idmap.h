/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace that the container is in: which user and group ids there are. Mapping them is
 * the host's business; the guest kernel refuses those that the host could not map.
 */
#ifndef IDMAP_H
#define IDMAP_H

#include "kernel.h"

struct boot_idmap;

bool uid_mapped(u32 uid);
bool gid_mapped(u32 gid);
/* What an owner looks like who has no id here. One who has, and has this number, can't be told from it. */
bool uid_foreign(u32 uid);
bool gid_foreign(u32 gid);
bool setgroups_allowed(void);
/* Extent number i, or false: there are no more. */
bool uid_extent(u32 i, struct boot_idmap *out);
bool gid_extent(u32 i, struct boot_idmap *out);

#endif
