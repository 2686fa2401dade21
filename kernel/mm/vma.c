/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings: search, insertion, removal, splitting and joining. */
#include "internal.h"

struct vma *vma_find_above(struct mm *mm, uaddr_t addr)
{
	return leaf_at(mm, leaf_find(mm, addr));
}

struct vma *vma_find(struct mm *mm, uaddr_t addr)
{
	struct vma *v = vma_find_above(mm, addr);

	return v && v->start <= addr ? v : NULL;
}

bool vma_overlaps(struct mm *mm, uaddr_t start, uaddr_t end)
{
	const struct vma *v = leaf_at(mm, leaf_find(mm, start));

	return v && v->start < end;
}

bool vma_kernel_in(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma_iter it = leaf_find(mm, start);
	const struct vma *v;

	while ((v = vma_next(mm, &it)) && v->start < end) {
		if (v->flags & VMA_KERNEL)
			return true;
	}
	return false;
}

struct vma *vma_walk_next(struct vma_walk *w)
{
	struct vma *v = w->pos < w->end ? vma_find_above(w->mm, w->pos) : NULL;

	if (!v || v->start >= w->end) {
		w->gap |= w->pos < w->end;
		return NULL;
	}
	w->gap |= v->start > w->pos;
	w->from = max(v->start, w->pos);
	w->to = min(v->end, w->end);
	w->pos = w->to;
	return v;
}

/* Count v in (sign 1) or out (-1). The machine's own pages do not count. */
static void account(struct mm *mm, const struct vma *v, int sign)
{
	u64 pages = vma_len(v) / PAGE_SIZE * (u64)(s64)sign;

	if (v->flags & VMA_KERNEL)
		return;
	mm->total_pages += pages;
	if (v->flags & MAP_LOCKED)
		mm->locked_pages += pages;
	if (v->flags & MAP_GROWSDOWN)
		mm->stack_pages += pages;
	else if ((v->prot & PROT_WRITE) && (v->flags & MAP_PRIVATE))
		mm->data_pages += pages;
}

static bool has_offset(const struct vma *v)
{
	return v->file || v->shm_id;
}

static void cut_below(struct vma *v, uaddr_t addr)
{
	if (has_offset(v))
		v->off += addr - v->start;
	v->start = addr;
}

void vma_split(struct mm *mm, uaddr_t addr)
{
	struct vma_iter it = leaf_find(mm, addr);
	struct vma *v = leaf_at(mm, it), lower;

	if (!v || v->start >= addr)
		return;
	lower = *v;
	lower.end = addr;
	cut_below(v, addr);
	if (v->file)
		file_get(v->file);
	leaf_insert(mm, it, &lower);
}

static bool can_join(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags ||
	    a->file != b->file || a->name != b->name || a->shm_id != b->shm_id ||
	    a->max_prot != b->max_prot)
		return false;
	return !has_offset(a) || a->off + vma_len(a) == b->off;
}

void vma_merge(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma_iter it = leaf_find(mm, start ? start - 1 : 0), next;
	struct vma *v, *above;

	while ((v = leaf_at(mm, it)) && v->end <= end) {
		next = leaf_after(mm, it);
		above = leaf_at(mm, next);
		if (!above)
			return;
		if (!can_join(v, above)) {
			it = next;
			continue;
		}
		v->end = above->end;
		if (v->file)
			file_put(v->file); /* not the last one: v has its own */
		start = v->start;
		leaf_remove(mm, next, 1);
		it = leaf_find(mm, start);
	}
}

void vma_insert(struct mm *mm, const struct vma *v)
{
	leaf_insert(mm, leaf_find(mm, v->start), v);
	if (v->file)
		file_get(v->file);
	account(mm, v, 1);
	vma_merge(mm, v->start, v->end);
}

static int dead_files_reserve(struct dead_files *d, u32 n)
{
	struct file **more;

	if (!d->files && d->n + n <= ARRAY_SIZE(d->few))
		return 0;
	more = krealloc(d->files, (d->n + n) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (!d->files)
		memcpy(more, d->few, d->n * sizeof(*more));
	d->files = more;
	return 0;
}

void dead_files_put(struct dead_files *d)
{
	struct file **files = d->files ? d->files : d->few;

	for (u32 i = 0; i < d->n; i++)
		file_put(files[i]);
	kfree(d->files);
	*d = (struct dead_files){0};
}

static u32 count_in(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma_iter it = leaf_find(mm, start);
	const struct vma *v;
	u32 n = 0;

	while ((v = vma_next(mm, &it)) && v->start < end)
		n++;
	return n;
}

/* Those of one leaf that begin below end: taken out of the counts, their files kept. */
static u32 leave(struct mm *mm, struct vma_iter it, uaddr_t end, struct dead_files *dead)
{
	struct file **files = dead->files ? dead->files : dead->few;
	u32 room = mm->leaves[it.leaf].n - it.at, n = 0;

	for (struct vma *v = leaf_at(mm, it); n < room && v->start < end; v++, n++) {
		account(mm, v, -1);
		if (v->file)
			files[dead->n++] = v->file;
	}
	return n;
}

int vma_remove(struct mm *mm, uaddr_t start, uaddr_t end, struct dead_files *dead)
{
	u32 n = count_in(mm, start, end);
	struct vma_iter it;

	if (!n)
		return 0;
	if (dead_files_reserve(dead, n + 1))
		return -ENOMEM;
	vma_split(mm, start);
	vma_split(mm, end);
	for (; n; n -= leaf_remove(mm, it, leave(mm, it, end, dead)))
		it = leaf_find(mm, start);
	return 0;
}

void vma_set_prot(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot)
{
	struct vma_iter it = leaf_find(mm, start);
	struct vma *v;

	while ((v = vma_next(mm, &it)) && v->start < end) {
		account(mm, v, -1);
		if (v->file && v->flags & MAP_PRIVATE && v->prot & PROT_WRITE)
			v->flags |= VMA_WRITTEN;
		v->prot = prot;
		account(mm, v, 1);
	}
}

void vma_set_flags(struct mm *mm, uaddr_t start, uaddr_t end, u32 clear, u32 set)
{
	struct vma_iter it = leaf_find(mm, start);
	struct vma *v;

	while ((v = vma_next(mm, &it)) && v->start < end) {
		account(mm, v, -1);
		v->flags = (v->flags & ~clear) | set;
		account(mm, v, 1);
	}
}
