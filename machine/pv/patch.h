/* SPDX-License-Identifier: Apache-2.0 */
/* What patch.c and text_image.c share: how a call site is judged, and what is written there. */
#ifndef PATCH_H
#define PATCH_H

#include "hostcall.h"

#define JMP_REL32 0xe9
#define JMP_REL8 0xeb
#define WINDOW 128 /* bytes of code before the site that the decoder sees */
#define WINDOW_BEHIND 160

/* What may be replaced at a site: `len` bytes before the syscall; a hole `hole` bytes behind its start, if they are few. */
struct verdict {
	u32 kind, len, hole, hole_len;
	u32 disp; /* where in those bytes a displacement from rip is; 0: there is none */
};

/* The code around a site, as the decoder sees it. */
struct window {
	u8 code[WINDOW + WINDOW_BEHIND];
	u32 at, len; /* of the syscall in it; of all */
};

/* False: leave it alone. `site`: its address, or any number with the same offset in its page. nr: what it was called with. */
bool pv_patch_judge(uaddr_t site, u64 nr, const struct window *w, struct verdict *v);
/* The jumps in the copy of the page, to the slot, or to the hole and from there. Of site and slot the distance counts. */
void pv_patch_write(u8 *copy, uaddr_t site, const struct verdict *v, uaddr_t slot);
/* An instruction moves from `from` to `to`, and its displacement from rip with it. False: that is too far. */
bool pv_patch_adapt(u8 *insn, u32 disp, uaddr_t from, uaddr_t to);

#endif
