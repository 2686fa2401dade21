/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYSFS_LINK_H
#define SYSFS_LINK_H

#include "kernel.h"

/* What rtnetlink(7) tells of an interface. */
#define N_LINK_STATS 24

struct link {
	u32 index, flags, mtu, queue, type;
	u64 stats[N_LINK_STATS]; /* struct rtnl_link_stats64 */
	u32 peer; /* the index of what it lies upon, or the other end; its own, if neither */
	u8 operstate, carrier, address_len;
	u8 address[32], broadcast[32];
};

bool link_read(const char *name, struct link *out);

#endif
