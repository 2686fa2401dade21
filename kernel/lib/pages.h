/* SPDX-License-Identifier: Apache-2.0 */
/* The page level of the kernel heap, below alloc.c. Private to kernel/lib. */
#ifndef PAGES_H
#define PAGES_H

#include "kernel.h"

enum page_kind {
	PAGE_NONE, /* not the heap's, or in the middle of a run */
	PAGE_FREE, /* first (and last) page of a free run */
	PAGE_RUN,  /* first page of a run in use */
	PAGE_SLAB, /* objects of one size class */
};

#define NO_PAGE 0u /* page numbers start at 1 */

/*
 * One for each page of the heap, in an array of its own: 256 of them share a page, so
 * what small allocations touch besides the objects themselves stays dense.
 */
struct page_info {
	u8 kind;
	u8 size_class;	/* slab */
	u16 in_use;	/* slab: objects handed out */
	u32 next, prev; /* list of free runs, or of the class' partly used slabs */
	union {
		u32 count; /* run: pages */
		struct {
			u16 free;   /* slab: offset + 1 of the object freed last; 0 none */
			u16 carved; /* slab: offset of the first byte never handed out */
		};
	};
};
_Static_assert(sizeof(struct page_info) == 16, "dense");

u32 pages_alloc(u32 count); /* page number of a run (kind PAGE_RUN), or NO_PAGE */
void pages_free(u32 page);
/* Grow or shrink a run in place; false: no room behind it. */
bool pages_resize(u32 page, u32 count);
void *page_address(u32 page);
u32 page_number(const void *p); /* NO_PAGE if it is not the heap's */
struct page_info *page_info(u32 page);
u64 pages_in_use(void);

#endif
