// SPDX-License-Identifier: Apache-2.0
/*
 * remap_file_pages of anonymous shared memory. The host maps such memory again by the address of some mapping of it (mremap of
 * length 0), and that may be replaced. So the first such call keeps all of it a second time, where nobody can get at it
 * (VMA_KERNEL), and the pages come from there. It goes with the last ordinary mapping.
 */
#include "internal.h"

static struct vma *kept_of(struct mm *mm, u64 shm_id)
{
	struct vma_iter it = { 0 };
	struct vma *v;

	while ((v = vma_next(mm, &it)))
		if (v->shm_id == shm_id && v->flags & VMA_KERNEL)
			return v;
	return NULL;
}

/* The mapping at start, if all of the range is of the same memory, mapped alike. */
static struct vma *alike(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma *first = vma_find(mm, start), *v = first;

	while (v && v->flags & MAP_SHARED && !(v->flags & VMA_KERNEL) && v->shm_id && v->shm_id == first->shm_id &&
	       v->flags == first->flags) {
		if (v->end >= end)
			return first;
		v = vma_find(mm, v->end);
	}
	return NULL;
}

static bool goes_on(const struct vma *a, const struct vma *b)
{
	return a && b && a->end == b->start && a->shm_id == b->shm_id && a->off + vma_len(a) == b->off;
}

/* v, with what is mapped beside it in the same order, whatever its protection. */
static struct vma whole(struct mm *mm, const struct vma *v)
{
	const struct vma *at = v, *next;
	struct vma all = *v;

	while (goes_on(next = leaf_below(mm, leaf_find(mm, at->start)), at))
		at = next;
	all.start = at->start;
	all.off = at->off;
	at = v;
	while (goes_on(at, next = vma_find(mm, at->end)))
		at = next;
	all.end = at->end;
	return all;
}

/* All of it a second time. */
static int keep(struct mm *mm, const struct vma *v)
{
	struct vma k = whole(mm, v);
	uaddr_t from = k.start;
	u64 len = vma_len(&k);
	int r;

	if (len > USER_MAX_LEN || mm->nvmas + 4 >= MAX_MAP_COUNT)
		return -ENOMEM;
	r = vma_reserve(mm, 1);
	if (r)
		return r;
	k.start = mm_find_gap(mm, len, 0, 0, mm->mmap_base);
	if (!k.start)
		return -ENOMEM;
	k.end = k.start + len;
	k.prot = PROT_NONE;
	k.flags = (k.flags & ~(u32)MAP_LOCKED) | VMA_KERNEL;
	r = mc_move(from, 0, k.start, len, 0);
	if (r)
		return r;
	r = mc_protect(k.start, len, PROT_NONE);
	if (r) {
		host_unmap(k.start, len);
		return r;
	}
	vma_insert(mm, &k);
	mm->nkept++;
	return 0;
}

static int place(struct mm *mm, const struct vma *from, struct vma *to)
{
	struct dead_files none = { 0 };
	int r = mm->nvmas + 3 >= MAX_MAP_COUNT ? -ENOMEM : vma_reserve(mm, 3);

	if (!r)
		r = mc_move(from->start + (to->off - from->off), 0, to->start, vma_len(to), 0);
	if (!r)
		r = mc_protect(to->start, vma_len(to), (int)to->prot);
	if (!r)
		r = vma_remove(mm, to->start, to->end, &none);
	if (!r)
		vma_insert(mm, to);
	return r;
}

s64 shuffle(struct mm *mm, uaddr_t start, u64 size, u64 off)
{
	struct vma *v = alike(mm, start, start + size), *from, to;
	int r;

	if (!v)
		return -EINVAL;
	to = *v;
	to.start = start;
	to.end = start + size;
	to.off = off;
	if (!kept_of(mm, to.shm_id)) {
		r = keep(mm, v);
		if (r)
			return r;
	}
	from = kept_of(mm, to.shm_id);
	/* Behind its end, or where it was unmapped before the first call, there is nothing that could be shown. */
	if (off < from->off || off + size < off || off + size > from->off + vma_len(from))
		return -EINVAL;
	return place(mm, &(struct vma){ .start = from->start, .off = from->off }, &to);
}

static struct vma *nowhere_else(struct mm *mm)
{
	struct vma_iter it = { 0 }, other;
	struct vma *v, *o;

	while ((v = vma_next(mm, &it))) {
		if (!v->shm_id || !(v->flags & VMA_KERNEL))
			continue;
		other = (struct vma_iter){ 0 };
		while ((o = vma_next(mm, &other)) && (o == v || o->shm_id != v->shm_id))
			;
		if (!o)
			return v;
	}
	return NULL;
}

void shuffled_forget(struct mm *mm, struct dead_files *dead)
{
	struct vma *v;

	while ((v = nowhere_else(mm))) {
		uaddr_t start = v->start, end = v->end;

		if (vma_reserve(mm, 1) || host_unmap(start, end - start) || vma_remove(mm, start, end, dead))
			return;
		mm->nkept--;
	}
}
