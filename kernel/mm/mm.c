/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a struct mm: creation, copies for fork, the end. */
#include "internal.h"

#include <linux/auxvec.h>

static u64 next_id;

struct mm *mm_new(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	ref_init(&mm->ref);
	mm->id = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED);
	return mm;
}

uaddr_t mm_vdso(const struct mm *mm)
{
	for (int i = 0; i + 1 < mm->auxv_len; i += 2)
		if (mm->auxv[i] == AT_SYSINFO_EHDR)
			return mm->auxv[i + 1] >= USER_END ? mm->auxv[i + 1] : 0;
	return 0;
}

struct mm *mm_get(struct mm *mm)
{
	ref_get(&mm->ref);
	return mm;
}

/* The copy has everything of old but its identity, its lock, its memory locks and, yet, its mappings. */
static void copy_fields(struct mm *mm, const struct mm *old)
{
	u64 id = mm->id;

	*mm = *old;
	ref_init(&mm->ref);
	mm->lock = (struct mutex)MUTEX_INIT;
	mm->id = id;
	mm->leaves = NULL;
	mm->spare = NULL;
	mm->nleaves = mm->room = mm->nspare = mm->nvmas = 0;
	mm->locked_pages = 0;
	mm->def_flags = 0;
	mm->aio.next = NULL;
	if (mm->exe)
		file_get(mm->exe);
}

static int copy_vmas(struct mm *mm, const struct mm *old)
{
	struct vma_iter it = {0};
	struct vma *v;

	if (leaf_copy(mm, old))
		return -ENOMEM;
	while ((v = vma_next(mm, &it))) {
		v->flags &= ~(u32)MAP_LOCKED;
		if (v->file)
			file_get(v->file);
	}
	return 0;
}

struct mm *mm_copy(struct mm *old)
{
	struct mm *mm = mm_new();

	if (!mm)
		return NULL;
	guard(&old->lock);
	copy_fields(mm, old);
	if (copy_vmas(mm, old)) {
		mm_put(mm);
		return NULL;
	}
	return mm;
}

void mm_put(struct mm *mm)
{
	struct vma_iter it = {0};
	struct vma *v;

	if (!mm || !ref_put(&mm->ref))
		return;
	aio_mm_end(mm);
	while ((v = vma_next(mm, &it)))
		file_put(v->file);
	file_put(mm->exe);
	leaf_free(mm);
	kfree(mm);
}

/* The space was copied as it is: take out, or empty, what the parent wanted so. */
void mm_fork_child(struct mm *mm)
{
	struct dead_files dead = {0};
	struct vma_iter it = {0};
	struct vma *v;

	mutex_lock(&mm->lock);
	while ((v = vma_next(mm, &it))) {
		uaddr_t start = v->start, end = v->end;

		if (v->flags & VMA_DONTFORK && !unmap_range(mm, start, end, &dead))
			it = leaf_find(mm, start);
		else if (v->flags & VMA_WIPEONFORK)
			host_map(v, false);
	}
	mutex_unlock(&mm->lock);
	dead_files_put(&dead);
}

int mm_futex_key(struct mm *mm, uaddr_t addr, struct futex_key *key)
{
	struct vma *v;

	guard(&mm->lock);
	v = vma_find(mm, addr);
	if (!v)
		return -EFAULT;
	if (v->flags & MAP_PRIVATE) {
		*key = (struct futex_key){mm->id, addr, 0};
	} else if (v->file) {
		file_identity(v->file, &key->a, &key->b);
		key->a |= 1ULL << 62; /* apart from the ids of spaces */
		key->c = v->off + (addr - v->start);
	} else {
		*key = (struct futex_key){v->shm_id | 1ULL << 63, v->off + (addr - v->start), 0};
	}
	return 0;
}
