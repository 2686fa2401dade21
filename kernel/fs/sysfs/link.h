/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYSFS_LINK_H
#define SYSFS_LINK_H

#include "kernel.h"

/* What rtnetlink(7) tells of an interface. */
struct link {
	u32 index, flags, mtu, queue, type;
	u8 operstate, carrier, address_len;
	u8 address[32], broadcast[32];
};

bool link_read(const char *name, struct link *out);

#endif
