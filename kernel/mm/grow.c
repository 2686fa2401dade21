/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings that grow by themselves (MAP_GROWSDOWN), and remap_file_pages, which is mmap by another name. */
#include "internal.h"
#include "syscall.h"

/* Room is kept to what lies below, unless that grows down, too, or is a guard itself. */
static bool too_near(struct mm *mm, uaddr_t addr)
{
	const struct vma *below = leaf_below(mm, leaf_find(mm, addr));

	return below && below->prot && !(below->flags & MAP_GROWSDOWN) && addr - below->end < STACK_GUARD;
}

bool mm_grow_down(struct mm *mm, uaddr_t addr)
{
	struct vma *v, more;

	addr &= PAGE_MASK;
	guard(&mm->lock);
	v = vma_find_above(mm, addr);
	if (!v || !(v->flags & MAP_GROWSDOWN))
		return false;
	if (v->start <= addr) /* another thread was first */
		return true;
	more = *v;
	more.start = addr;
	more.end = v->start;
	if (v->end - addr > rlimit(RLIMIT_STACK) || !user_range_ok(addr, vma_len(&more)) || too_near(mm, addr))
		return false;
	if (limit_space(mm, vma_len(&more), more.prot, more.flags) ||
	    ((more.flags & MAP_LOCKED) && limit_locked(mm, vma_len(&more))))
		return false;
	if (mm->nvmas >= MAX_MAP_COUNT || vma_reserve(mm, 1) || host_map(&more, more.flags & MAP_LOCKED))
		return false;
	vma_insert(mm, &more);
	return true;
}

/* One file, shared, in all of the range; with a reference. NULL: not so. */
static struct file *shared_file(struct mm *mm, uaddr_t start, uaddr_t end, u32 *prot, u32 *flags)
{
	struct vma *v, *first;

	guard(&mm->lock);
	first = v = vma_find(mm, start);
	while (v && (v->flags & MAP_SHARED) && v->file && v->file == first->file && v->flags == first->flags) {
		*prot = first->prot;
		*flags = first->flags & MAP_LOCKED;
		if (v->end >= end)
			return file_get(v->file);
		v = vma_find(mm, v->end);
	}
	return NULL;
}

long sys_remap_file_pages(u64 start, u64 size, u64 prot, u64 pgoff, u64 flags)
{
	struct file *f __file = NULL;
	u32 is_prot = 0, locked = 0;
	s64 r;

	start &= PAGE_MASK;
	size &= PAGE_MASK;
	if (prot || start + size <= start || pgoff + (size >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	f = shared_file(current->mm, start, start + size, &is_prot, &locked);
	if (pgoff > ~0ULL >> PAGE_SHIFT)
		return f ? -EOVERFLOW : -EINVAL;
	if (!f) {
		guard(&current->mm->lock);
		return shuffle(current->mm, start, size, pgoff << PAGE_SHIFT);
	}
	r = mm_map(current->mm, start, size, is_prot,
		   MAP_SHARED | MAP_FIXED | MAP_POPULATE | locked | ((u32)flags & MAP_NONBLOCK), f, pgoff << PAGE_SHIFT, NULL);
	return r < 0 ? r : 0;
}
