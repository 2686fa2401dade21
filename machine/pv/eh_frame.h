/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that .eh_frame describes. Free of the rest of the kernel. */
#ifndef EH_FRAME_H
#define EH_FRAME_H

#include "cpuid_sites.h"

#define EH_CHUNK 0x8000u

struct function {
	u64 start; /* address in the file's terms */
	u32 len;
};

struct eh_frame {
	const struct cpuid_file *file;
	u64 addr, off, size; /* of the section, less than 1 GiB */
	u8 *buf; /* EH_CHUNK bytes */
	struct { u64 at; bool good; } cies[32];
	u32 ncies;
};

typedef void (*function_seen)(void *ctx, const struct function *fn);

/* All functions that the section has. */
void eh_frame_walk(struct eh_frame *f, function_seen each, void *ctx);

#endif
