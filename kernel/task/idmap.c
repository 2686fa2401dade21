// SPDX-License-Identifier: Apache-2.0
/* user_namespaces(7), seen from inside: the extents come with the boot information and never change. */
#include "idmap.h"

#include "ring.h"

#define KEEP 0xffffffffu
#define OVERFLOW_ID 65534 /* /proc/sys/kernel/overflowuid */

static bool extent(u32 off, u32 n, u32 i, struct boot_idmap *out)
{
	if (!n) /* no mappings: the host's first namespace, where every id is its own */
		*out = (struct boot_idmap){ 0, 0, KEEP };
	else if (i < n)
		*out = ((const struct boot_idmap *)((const char *)mc_boot_info() + off))[i];
	return i < (n ? n : 1);
}

bool uid_extent(u32 i, struct boot_idmap *out)
{
	const struct boot_info *b = mc_boot_info();

	return extent(b->uid_map, b->nuid_map, i, out);
}

bool gid_extent(u32 i, struct boot_idmap *out)
{
	const struct boot_info *b = mc_boot_info();

	return extent(b->gid_map, b->ngid_map, i, out);
}

static bool mapped(bool (*get)(u32, struct boot_idmap *), u32 id)
{
	struct boot_idmap e;

	for (u32 i = 0; get(i, &e); i++)
		if (id >= e.inside && id - e.inside < e.count)
			return true;
	return false;
}

bool uid_mapped(u32 uid)
{
	return mapped(uid_extent, uid);
}

bool gid_mapped(u32 gid)
{
	return mapped(gid_extent, gid);
}

bool uid_foreign(u32 uid)
{
	return !uid_mapped(uid) ||
	       (uid == OVERFLOW_ID && ((const struct boot_info *)mc_boot_info())->nuid_map);
}

bool gid_foreign(u32 gid)
{
	return !gid_mapped(gid) ||
	       (gid == OVERFLOW_ID && ((const struct boot_info *)mc_boot_info())->ngid_map);
}

bool setgroups_allowed(void)
{
	return !((const struct boot_info *)mc_boot_info())->setgroups_denied;
}
