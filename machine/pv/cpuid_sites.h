/* SPDX-License-Identifier: Apache-2.0 */
/* The cpuid instructions of a text segment that can be replaced by jumps. Free of the rest of the kernel. */
#ifndef CPUID_SITES_H
#define CPUID_SITES_H

#include "types.h"

#define CPUID_SITES 64 /* of a segment */

/* A jump may take the place of `len` bytes at `from`, an offset in the segment: whole instructions, one of which is the cpuid. */
struct cpuid_site {
	u32 from;
	u8 len;
	u8 at; /* where in them cpuid is: first or last */
	u8 disp; /* where in them a displacement from rip is; 0: there is none */
};

struct cpuid_file {
	void *ctx;
	long (*read)(void *ctx, void *buf, u64 len, u64 off); /* as pread */
	u64 off, len; /* the segment as it is mapped; whole pages */
};

/*
 * How many there are. Those of which it is certain: see cpuid_sites.c. Programs that have an interpreter have none that is worth a look.
 * `room`: cpuid_room() bytes, aligned to 8.
 */
u32 cpuid_find(const struct cpuid_file *file, struct cpuid_site sites[CPUID_SITES], void *room);
size_t cpuid_room(void);

#endif
