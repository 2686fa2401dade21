/* SPDX-License-Identifier: Apache-2.0 */
/* The sorted array of mappings: search, insertion, removal, splitting and joining. */
#include "internal.h"

u32 vma_index(const struct mm *mm, uaddr_t addr)
{
	u32 low = 0, high = mm->nvmas;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (mm->vmas[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct vma *vma_find_above(struct mm *mm, uaddr_t addr)
{
	u32 i = vma_index(mm, addr);

	return i < mm->nvmas ? &mm->vmas[i] : NULL;
}

struct vma *vma_find(struct mm *mm, uaddr_t addr)
{
	struct vma *v = vma_find_above(mm, addr);

	return v && v->start <= addr ? v : NULL;
}

bool vma_overlaps(const struct mm *mm, uaddr_t start, uaddr_t end)
{
	u32 i = vma_index(mm, start);

	return i < mm->nvmas && mm->vmas[i].start < end;
}

bool vma_kernel_in(const struct mm *mm, uaddr_t start, uaddr_t end)
{
	for (u32 i = vma_index(mm, start); i < mm->nvmas && mm->vmas[i].start < end; i++) {
		if (mm->vmas[i].flags & VMA_KERNEL)
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

int vma_reserve(struct mm *mm, u32 extra)
{
	u32 want = mm->nvmas + extra;
	struct vma *more;

	if (want <= mm->room)
		return 0;
	want = max(want, mm->room * 2);
	more = krealloc(mm->vmas, want * sizeof(struct vma));
	if (!more)
		return -ENOMEM;
	mm->vmas = more;
	mm->room = want;
	return 0;
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
	u32 i = vma_index(mm, addr);
	struct vma *v = &mm->vmas[i];

	if (i == mm->nvmas || v->start >= addr)
		return;
	BUG_ON(mm->nvmas >= mm->room);
	memmove(v + 1, v, (mm->nvmas - i) * sizeof(*v));
	mm->nvmas++;
	v[0].end = addr;
	cut_below(&v[1], addr);
	if (v->file)
		file_get(v->file);
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
	u32 i = vma_index(mm, start ? start - 1 : 0);

	while (i + 1 < mm->nvmas && mm->vmas[i].end <= end) {
		struct vma *v = &mm->vmas[i];

		if (!can_join(&v[0], &v[1])) {
			i++;
			continue;
		}
		v[0].end = v[1].end;
		if (v->file)
			file_put(v->file); /* not the last one: v has its own */
		mm->nvmas--;
		memmove(&v[1], &v[2], (mm->nvmas - i - 1) * sizeof(*v));
	}
}

void vma_insert(struct mm *mm, const struct vma *v)
{
	u32 i = vma_index(mm, v->start);

	BUG_ON(mm->nvmas >= mm->room);
	memmove(&mm->vmas[i + 1], &mm->vmas[i], (mm->nvmas - i) * sizeof(*v));
	mm->vmas[i] = *v;
	mm->nvmas++;
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

int vma_remove(struct mm *mm, uaddr_t start, uaddr_t end, struct dead_files *dead)
{
	u32 first, last;
	struct file **files;

	if (!vma_overlaps(mm, start, end))
		return 0;
	first = vma_index(mm, start);
	last = vma_index(mm, end);
	if (dead_files_reserve(dead, last - first + 1))
		return -ENOMEM;
	vma_split(mm, start);
	vma_split(mm, end);
	first = vma_index(mm, start);
	last = vma_index(mm, end);
	files = dead->files ? dead->files : dead->few;
	for (u32 i = first; i < last; i++) {
		account(mm, &mm->vmas[i], -1);
		if (mm->vmas[i].file)
			files[dead->n++] = mm->vmas[i].file;
	}
	memmove(&mm->vmas[first], &mm->vmas[last], (mm->nvmas - last) * sizeof(struct vma));
	mm->nvmas -= last - first;
	return 0;
}

void vma_set_prot(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot)
{
	for (u32 i = vma_index(mm, start); i < mm->nvmas && mm->vmas[i].start < end; i++) {
		account(mm, &mm->vmas[i], -1);
		if (mm->vmas[i].file && mm->vmas[i].flags & MAP_PRIVATE && mm->vmas[i].prot & PROT_WRITE)
			mm->vmas[i].flags |= VMA_WRITTEN;
		mm->vmas[i].prot = prot;
		account(mm, &mm->vmas[i], 1);
	}
}

void vma_set_flags(struct mm *mm, uaddr_t start, uaddr_t end, u32 clear, u32 set)
{
	for (u32 i = vma_index(mm, start); i < mm->nvmas && mm->vmas[i].start < end; i++) {
		account(mm, &mm->vmas[i], -1);
		mm->vmas[i].flags = (mm->vmas[i].flags & ~clear) | set;
		account(mm, &mm->vmas[i], 1);
	}
}
