// SPDX-License-Identifier: Apache-2.0
/* How large a process is. */
#include "proc.h"

#include <linux/mman.h>

#define PROBE_PAGES 1024

static u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

/* Text, libraries and data as Linux counts them: by what may be done to the mapping. */
static void add_vma(struct mm_sizes *z, const struct mm *mm, const struct vma *v)
{
	u64 pages = vma_pages(v);

	if (v->flags & VMA_KERNEL)
		return;
	z->total += pages;
	if (v->flags & MAP_GROWSDOWN)
		z->stack += pages;
	else if ((v->prot & PROT_WRITE) && !(v->flags & MAP_SHARED))
		z->data += pages;
	if ((v->prot & PROT_EXEC) && !(v->prot & PROT_WRITE) && v->file) {
		if (v->start < mm->code_end && v->end > mm->code_start)
			z->text += pages;
		else
			z->lib += pages;
	}
}

/* Resident pages of a range of the caller's own space. */
static u64 resident(uaddr_t addr, u64 pages)
{
	u8 vec[PROBE_PAGES];
	u64 n = 0;

	while (pages) {
		u64 now = min(pages, (u64)PROBE_PAGES);

		if (mc_resident(addr, now << PAGE_SHIFT, vec) < 0)
			break;
		for (u64 i = 0; i < now; i++)
			n += vec[i] & 1;
		addr += now << PAGE_SHIFT;
		pages -= now;
	}
	return n;
}

/*
 * Own memory: the host says which pages are there. It says so of the page cache for file mappings, so
 * theirs is an upper bound.
 */
static void own_rss(struct mm_sizes *z, const struct vma *v)
{
	u64 n;

	if (v->flags & VMA_KERNEL)
		return;
	n = resident(v->start, vma_pages(v));
	z->rss += n;
	if (v->file)
		z->rss_file += n;
	else if (v->flags & MAP_SHARED)
		z->rss_shmem += n;
}

void mm_sizes(const struct pseudo_ctx *c, struct mm *mm, struct mm_sizes *z)
{
	memset(z, 0, sizeof(*z));
	if (!mm)
		return;
	guard(&mm->lock);
	z->locked = mm->locked_pages;
	for (u32 i = 0; i < mm->nvmas; i++) {
		add_vma(z, mm, &mm->vmas[i]);
		if (mm == current->mm)
			own_rss(z, &mm->vmas[i]);
	}
	/* Of others nobody tells; what they wrote to is the part of it that counts. */
	if (mm != current->mm)
		z->rss = min(z->total, z->text + (z->data + z->stack) / 4);
}
