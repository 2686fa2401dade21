/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a struct mm: creation, copies for fork, the end. */
#include "internal.h"

#include <linux/auxvec.h>

#define FIRST_ROOM 28u /* mappings of an ordinary dynamically linked program */

static u64 next_id;

struct mm *mm_new(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	ref_init(&mm->ref);
	mm->id = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED);
	if (vma_reserve(mm, FIRST_ROOM)) {
		kfree(mm);
		return NULL;
	}
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

/* The copy has everything of old but its identity, its lock and its memory locks. */
static void copy_fields(struct mm *mm, const struct mm *old)
{
	u64 id = mm->id;
	u32 room = mm->room;
	struct vma *vmas = mm->vmas;

	*mm = *old;
	ref_init(&mm->ref);
	mm->lock = (struct mutex)MUTEX_INIT;
	mm->id = id;
	mm->room = room;
	mm->vmas = vmas;
	mm->locked_pages = 0;
	mm->def_flags = 0;
	mm->aio.next = NULL;
	if (mm->exe)
		file_get(mm->exe);
}

static void copy_vmas(struct mm *mm, const struct mm *old)
{
	memcpy(mm->vmas, old->vmas, old->nvmas * sizeof(struct vma));
	for (u32 i = 0; i < mm->nvmas; i++) {
		mm->vmas[i].flags &= ~(u32)MAP_LOCKED;
		if (mm->vmas[i].file)
			file_get(mm->vmas[i].file);
	}
}

struct mm *mm_copy(struct mm *old)
{
	struct mm *mm = mm_new();

	if (!mm)
		return NULL;
	guard(&old->lock);
	if (vma_reserve(mm, old->nvmas)) {
		mm_put(mm);
		return NULL;
	}
	copy_fields(mm, old);
	copy_vmas(mm, old);
	return mm;
}

void mm_put(struct mm *mm)
{
	if (!mm || !ref_put(&mm->ref))
		return;
	aio_mm_end(mm);
	for (u32 i = 0; i < mm->nvmas; i++)
		file_put(mm->vmas[i].file);
	file_put(mm->exe);
	kfree(mm->vmas);
	kfree(mm);
}

/* The space was copied as it is: take out, or empty, what the parent wanted so. */
void mm_fork_child(struct mm *mm)
{
	struct dead_files dead = {0};

	mutex_lock(&mm->lock);
	for (u32 i = 0; i < mm->nvmas;) {
		struct vma v = mm->vmas[i];

		if (v.flags & VMA_DONTFORK && !unmap_range(mm, v.start, v.end, &dead))
			continue;
		if (v.flags & VMA_WIPEONFORK)
			host_map(&v, false);
		i++;
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
