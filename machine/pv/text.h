/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text segments of files, by the identity of the file: what text.c knows of them, and the copies with
 * patched call sites that text_image.c makes.
 */
#ifndef TEXT_H
#define TEXT_H

#include "hostcall.h"

#define TEXT_SITES 128 /* call sites of a segment */

/* A file that changes has another ctime. */
struct text_id {
	u64 dev, ino, size, sec, nsec; /* ctime */
	u64 off, len; /* of the mapping; whole pages */
};

struct text_site {
	u32 off; /* of the syscall instruction, in the segment */
	u32 nr; /* what it was called with */
};

/* A memory object: the segment with patched sites, and behind it original copies of the pages where they are. */
struct text_image {
	u32 handle;
	u32 npages;
	u64 len;
	u32 pages[TEXT_SITES]; /* numbers of these pages */
};

/* text_image.c. NULL: it can't be done, or there are enough. `file`: its handle. */
const struct text_image *text_image_build(const struct text_id *id, u32 file, const struct text_site *sites, u32 n);
/* In place of what is mapped at `addr`, which is the image: the original pages. */
void text_image_undo(const struct text_image *image, uaddr_t addr);

#endif
