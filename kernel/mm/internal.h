/* SPDX-License-Identifier: Apache-2.0 */
/* Private to kernel/mm. Unless said otherwise: with mm->lock held. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <linux/mman.h>
#include <linux/mount.h>

#include "fs.h"
#include "mm.h"
#include "task.h"

#define VMA_FLAGS     (VMA_DONTFORK | VMA_WIPEONFORK | VMA_DONTDUMP | VMA_WRITTEN | VMA_KERNEL)
#define MAX_MAP_COUNT 65530u
#define STACK_GUARD   (256 * PAGE_SIZE) /* kept free below a mapping that grows down */

/* Files of removed mappings: their last reference must not go while mm->lock is held. */
struct dead_files {
	struct file **files;
	u32 n;
	struct file *few[8];
};
void dead_files_put(struct dead_files *d); /* without mm->lock */

/* ---- leaf.c: where mappings are kept ---- */
struct vma_iter leaf_find(struct mm *mm, uaddr_t addr); /* the first one that ends above addr */
struct vma *leaf_below(const struct mm *mm, struct vma_iter it); /* the one before it, or NULL */
struct vma *leaf_insert(struct mm *mm, struct vma_iter it, const struct vma *v); /* before it; vma_reserve() gave room */
u32 leaf_remove(struct mm *mm, struct vma_iter it, u32 n); /* n of them, or fewer if the leaf ends: how many */
int leaf_copy(struct mm *mm, const struct mm *old); /* mm has none; 0 or -ENOMEM */
void leaf_free(struct mm *mm); /* all of them */
int vma_reserve(struct mm *mm, u32 extra); /* room for so many more: 0 or -ENOMEM */
uaddr_t vma_gap_below(struct mm *mm, u64 len, uaddr_t low, uaddr_t high); /* the highest one; 0: none */

/* Behind the last one of a leaf is before the first one of the next. */
static inline struct vma_iter leaf_settle(const struct mm *mm, struct vma_iter it)
{
	if (it.leaf < mm->nleaves && it.at == mm->leaves[it.leaf].n)
		return (struct vma_iter){it.leaf + 1, 0};
	return it;
}

/* NULL: behind the last one */
static inline struct vma *leaf_at(const struct mm *mm, struct vma_iter it)
{
	it = leaf_settle(mm, it);
	return it.leaf < mm->nleaves ? &mm->leaves[it.leaf].v[it.at] : NULL;
}

static inline struct vma_iter leaf_after(const struct mm *mm, struct vma_iter it)
{
	it = leaf_settle(mm, it);
	it.at++;
	return leaf_settle(mm, it);
}

/* Lowest address that is kept free for v: a stack may still grow. */
static inline uaddr_t vma_guarded_start(const struct vma *v)
{
	return v->flags & MAP_GROWSDOWN && v->start > STACK_GUARD ? v->start - STACK_GUARD : v->start;
}

/* ---- vma.c: what is done with them ---- */
bool vma_overlaps(struct mm *mm, uaddr_t start, uaddr_t end);
bool vma_kernel_in(struct mm *mm, uaddr_t start,
		   uaddr_t end);	     /* one of the machine's is in the range */
void vma_split(struct mm *mm, uaddr_t addr); /* make addr a border; needs room for one */
/* Insert a range that is empty; takes a reference to v->file. Needs room for one. Joins neighbours.
 */
void vma_insert(struct mm *mm, const struct vma *v);
/* Take out what is in [start, end). Needs room for one. -ENOMEM: nothing done. */
int vma_remove(struct mm *mm, uaddr_t start, uaddr_t end, struct dead_files *dead);
/* Join what can be joined from the mapping below start to the one at end. */
void vma_merge(struct mm *mm, uaddr_t start, uaddr_t end);
/* Change attributes of whole mappings in [start, end): both are borders (vma_split). */
void vma_set_prot(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot);
void vma_set_flags(struct mm *mm, uaddr_t start, uaddr_t end, u32 clear, u32 set);

static inline u64 vma_len(const struct vma *v)
{
	return v->end - v->start;
}

/* ---- host.c: the machine's calls, in pieces of at most USER_MAX_LEN ---- */
int host_map(const struct vma *v, bool populate);
int host_unmap(uaddr_t addr, u64 len);
int host_protect(uaddr_t addr, u64 len, u32 prot);

/* ---- limit.c: 0 or -errno ---- */
int limit_data(const struct mm *mm, u64 len, u32 prot, u32 flags);  /* RLIMIT_DATA */
int limit_space(const struct mm *mm, u64 len, u32 prot, u32 flags); /* RLIMIT_AS, RLIMIT_DATA */
int limit_locked(const struct mm *mm, u64 len);			    /* RLIMIT_MEMLOCK */

/* ---- shuffle.c: remap_file_pages of anonymous memory ---- */
s64 shuffle(struct mm *mm, uaddr_t start, u64 size, u64 off);
void shuffled_forget(struct mm *mm, struct dead_files *dead); /* what is mapped nowhere else any more */

/* ---- map.c ---- */
/* Unmap what is there, on the machine and in the list. -EINVAL if it is the machine's. */
int unmap_range(struct mm *mm, uaddr_t start, uaddr_t end, struct dead_files *dead);

/*
 * Walk the mappings of [start, end): *v is the next one, *from and *to the part in the range. False
 * at the end; *gap is set if some of the range is not mapped.
 */
struct vma_walk {
	struct mm *mm;
	uaddr_t pos, end;
	uaddr_t from, to;
	bool gap;
};
struct vma *vma_walk_next(struct vma_walk *w);

#endif
