/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text segments of files, by the identity of the file: what text.c knows of them, and the copies with
 * patched call sites that text_image.c makes.
 */
#ifndef TEXT_H
#define TEXT_H

#include "cpuid_sites.h"
#include "hostcall.h"

#define TEXT_SITES 128 /* call sites of a segment */
#define SPARSE_PAGES 8 /* of a sparse image, at most */

/* A file that changes has another ctime. */
struct text_id {
	u64 dev, ino, size, sec, nsec; /* ctime */
	u64 off, len; /* of the mapping; whole pages */
};

struct text_site {
	u32 off; /* of the syscall instruction, in the segment */
	u32 nr; /* what it was called with */
};

/* What is to be patched of a segment. */
struct text_patches {
	const struct cpuid_site *cpuids;
	const struct text_site *calls;
	u32 ncpuids, ncalls;
};

/*
 * A memory object: the segment with patched sites, and behind it original copies of the pages where they are. Or only these pages,
 * patched and then original, in ascending order: `sparse`.
 */
struct text_image {
	u32 handle;
	u32 npages;
	u64 originals; /* where these copies begin */
	bool sparse;
	u32 pages[TEXT_SITES + CPUID_SITES + 1]; /* numbers of these pages */
};

/* text_image.c. NULL: it can't be done, or there are enough. `file`: its handle. Sparse ones are of cpuids alone. */
const struct text_image *text_image_build(const struct text_id *id, u32 file, const struct text_patches *what, bool sparse);
/* Over the file that is mapped at `addr`: a sparse image's patched pages. */
bool text_image_lay(const struct text_image *image, uaddr_t addr);
/* In place of what is mapped at `addr`, which is the image: the original pages. */
void text_image_undo(const struct text_image *image, uaddr_t addr);
/* All of `len` bytes, or as many as there are; or -errno. */
long text_file_read(u32 file, void *buf, u64 len, u64 off);

#endif
